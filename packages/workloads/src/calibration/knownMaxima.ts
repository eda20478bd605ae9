import { readFile } from "node:fs/promises";
import type { LlamaMaxima } from "../llama/maxima.ts";
import type { LlamaShape } from "../llama/source.ts";
import { decodeMaxima } from "./maximaFile.ts";

/** Files beside this one, by the SHA-256 of the GGUF file whose maxima they hold. `scripts/calibrate.ts` writes them. */
const KNOWN: Record<string, string> = {
  b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53: "SmolLM2-135M-Instruct.Q4_1.maxima",
};

/**
 * The committed maxima of a model, or undefined for one that has to be calibrated. Floats differ between machines in
 * their last bit, so a model whose conversion must give the same bytes everywhere brings its maxima as data.
 */
export async function knownMaxima(sha256: string, shape: LlamaShape): Promise<LlamaMaxima | undefined> {
  const name = KNOWN[sha256];
  return name === undefined ? undefined : decodeMaxima(await readFile(maximaUrl(name)), shape);
}

export const maximaUrl = (name: string): URL => new URL(`./maxima/${name}`, import.meta.url);
