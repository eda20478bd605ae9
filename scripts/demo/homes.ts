import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { toAddress } from "@foldmark/protocol";
import { z } from "zod";
import { foldmark } from "./foldmark.ts";
import { type Home, need, type Stage } from "./stage.ts";

/** A home folder with a password, the market's addresses and a fresh key, funded with gas and test dollars. */
export async function makeHome(stage: Stage, { name, dollars }: { name: string; dollars: bigint }): Promise<Home> {
  const { rpc, deployment } = need(stage, "chain");
  const folder = path.join(stage.work, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const passwordFile = path.join(folder, "password");
  await writeFile(passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
  await writeFile(path.join(folder, "deployment.json"), JSON.stringify(deployment));
  const settings = ["--rpc", rpc, "--password-file", passwordFile];
  const data = await foldmark(folder, ["init", "--quick", "--keys-only", ...settings]);
  const address = toAddress(z.object({ address: z.string() }).parse(data).address);
  await need(stage, "funder").fund(address, dollars);
  return { folder, passwordFile, address };
}
