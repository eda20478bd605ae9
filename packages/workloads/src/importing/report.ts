import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Evaluation } from "../calibration/evaluate.ts";

/** How well the integers say what float32 says, on which text. */
export type Report = { text: string } & Evaluation;

const saturation = z.record(z.string(), z.strictObject({ saturated: z.int(), of: z.int() }));
const report = z.strictObject({
  text: z.string(),
  predictions: z.int(),
  floatPerplexity: z.number(),
  integerPerplexity: z.number(),
  change: z.number(),
  changeError: z.number(),
  topAgreement: z.number(),
  divergence: z.number(),
  saturation,
});

/** Files beside this one, by the SHA-256 of the GGUF file. `npm run bench -- report` measures and writes them. */
const KNOWN: Record<string, string> = {
  b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53: "SmolLM2-135M-Instruct.Q4_1.json",
};

export const reportUrl = (name: string): URL => new URL(`./reports/${name}`, import.meta.url);

/**
 * The committed report of a model whose conversion gives the same bytes everywhere: measured once on more text than an
 * import has time for. Undefined for any other.
 */
export async function knownReport(sha256: string): Promise<Report | undefined> {
  const name = KNOWN[sha256];
  if (name === undefined) return undefined;
  return report.parse(JSON.parse(await readFile(reportUrl(name), "utf8"))) as Report;
}
