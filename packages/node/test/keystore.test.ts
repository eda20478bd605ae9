import { chmodSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { recoverAddress } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { createKeystore, keystoreAddress, type NodeKey, openKeystore } from "../src/keystore/keystore.ts";
import { readPassword } from "../src/keystore/password.ts";
import { aFolder } from "./aFolder.ts";

const PASSWORD = "correct horse battery";

describe("a keystore", () => {
  const file = path.join(aFolder(), "keys", "operator.json");
  let key: NodeKey;
  beforeAll(async () => {
    key = await createKeystore(file, PASSWORD);
  });

  it("lies in a folder and a file that only its owner can read", () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
  });

  it("opens again with its password and signs as its address", async () => {
    const again = await openKeystore(file, PASSWORD);
    const digest = `0x${"5a".repeat(32)}` as const;
    expect(await recoverAddress({ hash: digest, signature: again.signDigest(digest) })).toBe(key.address);
    expect(keystoreAddress(file).toLowerCase()).toBe(key.address.toLowerCase());
  });

  it("stays shut for another password, which no error repeats", async () => {
    const failure = await openKeystore(file, "hunter2-hunter2").catch((error) => error);
    expect(failure).toMatchObject({ code: "keystore.wrong_password" });
    expect(JSON.stringify([failure.message, failure.details, failure.hint, String(failure.cause)])).not.toContain(
      "hunter2",
    );
  });

  it("is not overwritten", async () => {
    await expect(createKeystore(file, PASSWORD)).rejects.toMatchObject({ code: "keystore.malformed" });
  });

  it("is refused when others can read it, when it is missing, and when it is something else", async () => {
    const folder = aFolder();
    const other = path.join(folder, "other.json");
    await expect(openKeystore(other, PASSWORD)).rejects.toMatchObject({ code: "keystore.missing" });
    writeFileSync(other, "{}", { mode: 0o600 });
    await expect(openKeystore(other, PASSWORD)).rejects.toMatchObject({ code: "keystore.malformed" });
    chmodSync(other, 0o644);
    await expect(openKeystore(other, PASSWORD)).rejects.toMatchObject({ code: "keystore.permissions" });
  });

  it("wants a password of twelve characters or more", async () => {
    await expect(createKeystore(path.join(aFolder(), "k.json"), "short")).rejects.toMatchObject({
      code: "config.invalid",
    });
  });
});

describe("readPassword", () => {
  it("takes the first line of a file", async () => {
    const file = path.join(aFolder(), "password");
    writeFileSync(file, `${PASSWORD}\nsecond line\n`);
    expect(await readPassword(file, { message: "" })).toBe(PASSWORD);
  });

  it("names a missing file", async () => {
    await expect(readPassword("/nowhere/password", { message: "" })).rejects.toMatchObject({
      code: "config.unreadable",
    });
  });
});
