import { encodeHeader, type Program } from "@foldmark/machine";
import { programRoot } from "@foldmark/machine/commitments";
import { WorkloadError } from "../errors.ts";
import { canonicalJson } from "./canonicalJson.ts";
import type { Families } from "./family.ts";
import { toHex } from "./hex.ts";
import type { Manifest } from "./manifest.ts";
import { mustEqual } from "./mustEqual.ts";

const DERIVED = ["kind", "answers", "length", "stopIds"] as const;

/**
 * Builds the program again from family and configuration and compares it with the package's, together with everything
 * else that follows from them. Throws `package.program_mismatch` with both values.
 * @returns false for a program that no known family explains: nobody has said what its answers mean
 */
export function isExplained(path: string, { manifest, families }: { manifest: Manifest; families: Families }): boolean {
  const family = manifest.family && families.get(manifest.family.name);
  if (!family) return false;
  const built = family.build(manifest.family?.configuration);
  // the root is over the records alone: maxT is in the header
  for (const [what, expected, got] of [
    ["root", manifest.programRoot, toHex(programRoot(built.program))],
    ["header", manifest.header, toHex(encodeHeader(built.program))],
  ] as const) {
    const whole = `the ${what} of the program that family ${family.name} builds from its configuration`;
    mustEqual("package.program_mismatch", path, whole, { expected, got });
  }
  for (const key of DERIVED) {
    const values = { expected: canonicalJson(built[key]), got: canonicalJson(manifest[key]) };
    mustEqual("package.program_mismatch", path, key, values);
  }
  return true;
}

/** Answers and length name parts of the program that exist. Throws `package.manifest`. */
export function checkReferences(path: string, { manifest, program }: { manifest: Manifest; program: Program }): void {
  for (const [i, { claimed, stage, fold }] of manifest.answers.entries()) {
    if (claimed >= program.claimed.length) throw absent(path, `answers.${i}.claimed`, claimed);
    if (!program.stages[stage]) throw absent(path, `answers.${i}.stage`, stage);
    if (!program.stages[stage]?.folds[fold]) throw absent(path, `answers.${i}.fold`, fold);
  }
  if (manifest.length !== "open" && manifest.length.request[0] >= program.requests.length) {
    throw absent(path, "length.request.0", manifest.length.request[0]);
  }
}

const absent = (file: string, place: string, got: number): WorkloadError =>
  new WorkloadError("package.manifest", `${file}: ${place}: the program has no ${got}.`, { file, path: place, got });
