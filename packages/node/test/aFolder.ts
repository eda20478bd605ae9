import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "vitest";

const folders: string[] = [];

/** A new folder, which goes away when the test file that asked for it ends. */
export function aFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "foldmark-node-"));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
