import { existsSync } from "node:fs";
import path from "node:path";
import { FoldmarkError } from "@foldmark/protocol";
import { MANIFEST_FILE } from "@foldmark/workloads";

/** A mistyped folder is named as such, before anything is read. @throws `package.missing` */
export function requirePackage(folder: string): void {
  if (existsSync(path.join(folder, MANIFEST_FILE))) return;
  throw new FoldmarkError("package.missing", `There is no model package in ${folder}.`, {
    details: { folder },
    hint: "`foldmark models list` shows the packages that are here.",
  });
}
