import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFolder } from "../src/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldmark-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

const lockerProgram = new URL("./support/locker.ts", import.meta.url);
/** A process that takes the lock and waits to be told to end. */
async function locker() {
  const child = fork(lockerProgram, [folder], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [message] = await once(child, "message");
  return { child, message };
}

describe("lockFolder", () => {
  it("refuses a second opener in the same process, and gives the folder back on release", async () => {
    {
      await using lock = await lockFolder(folder);
      expect(await readFile(lock.path, "utf8")).toBe(`${process.pid}\n`);
      await expect(lockFolder(folder)).rejects.toMatchObject({ code: "store.locked", details: { pid: process.pid } });
    }
    await using again = await lockFolder(folder);
    expect(again.path).toBe(join(folder, "lock"));
  });

  it("names the process that holds it, and takes over when that was killed", async () => {
    const { child, message } = await locker();
    expect(message).toBe("locked");
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: "store.locked", details: { pid: child.pid } });
    child.kill("SIGKILL");
    await once(child, "exit");
    await using lock = await lockFolder(folder);
    expect(await readFile(lock.path, "utf8")).toBe(`${process.pid}\n`);
  });

  it("lets one of many processes take a dead owner's lock", async () => {
    await writeFile(join(folder, "lock"), `${spawnSync(process.execPath, ["-e", ""]).pid}\n`);
    const all = await Promise.all([locker(), locker(), locker()]);
    expect(all.map(({ message }) => message).sort()).toEqual(["locked", "store.locked", "store.locked"]);
    for (const { child } of all) child.kill("SIGKILL");
    await Promise.all(
      all.map(({ child }) => (child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined)),
    );
  });

  it("takes over a lock with its own pid that it does not hold: a restarted container has the same pid", async () => {
    await writeFile(join(folder, "lock"), `${process.pid}\n`);
    await using lock = await lockFolder(folder);
    expect(lock.path).toBe(join(folder, "lock"));
  });

  it("judges no file without a pid, however old", async () => {
    await writeFile(join(folder, "lock"), "");
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: "store.locked", details: { pid: null } });
  });
});
