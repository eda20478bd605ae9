import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { Program } from "@foldmark/machine";
import { TensorHasher } from "@foldmark/machine/commitments";
import { constantBytes } from "./constants.ts";
import { toHex } from "./hex.ts";
import type { Manifest } from "./manifest.ts";
import { mustEqual } from "./mustEqual.ts";

/**
 * Hashes `tensors.bin` once, as a file and as the constants of the program. Throws `package.hash` naming the first
 * constant whose root differs.
 */
export async function verifyTensors(
  dir: string,
  { manifest, program }: { manifest: Manifest; program: Program },
): Promise<void> {
  const path = join(dir, "tensors.bin");
  const digest = createHash("sha256");
  let constant = 0;
  let left = 0;
  let hasher = new TensorHasher();
  const next = () => {
    const declaration = program.constants[constant];
    left = declaration ? constantBytes(declaration) : 0;
    hasher = new TensorHasher();
  };
  next();
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    digest.update(chunk);
    for (let at = 0; at < chunk.length && constant < program.constants.length; ) {
      const taken = Math.min(left, chunk.length - at);
      hasher.update(chunk.subarray(at, at + taken));
      at += taken;
      left -= taken;
      if (left > 0) continue;
      const expected = manifest.tensorRoots[constant];
      mustEqual("package.hash", path, `the root of constant ${constant}`, { expected, got: toHex(hasher.root()) });
      constant++;
      next();
    }
  }
  const expected = manifest.files["tensors.bin"]?.sha256;
  mustEqual("package.hash", path, "its SHA-256", { expected, got: `0x${digest.digest("hex")}` });
}
