import { type Engine, openReference, openWasm } from "@foldmark/machine";
import { describe, expect, it } from "vitest";
import { generateWhole } from "../src/execution/generation.ts";
import { llamaProgram } from "../src/llama/program.ts";
import { tokenBytes } from "../src/llama/request.ts";
import { anOrder, type Converted, converted, generator, randomLlama } from "./support/tinyLlama.ts";

/** Beyond 64, where blocks of rows and capacities of sessions end. */
const POSITIONS = 70;

const SHAPES = [
  {
    what: "head size 8, a key for each head, tied",
    change: { width: 40, ffn: 68, heads: 3, kvHeads: 3, headSize: 8, vocabulary: 131, isTied: true },
  },
  {
    what: "head size 64, three heads a key, untied",
    change: { width: 52, ffn: 100, heads: 3, kvHeads: 1, headSize: 64, layers: 1, vocabulary: 97, isTied: false },
  },
  {
    what: "head size 128, four heads a key, tied",
    change: { width: 48, ffn: 72, heads: 4, kvHeads: 1, headSize: 128, layers: 1, vocabulary: 66, isTied: true },
  },
  {
    what: "head size 16, four heads a key, two keys, untied",
    change: { width: 64, ffn: 160, heads: 8, kvHeads: 2, headSize: 16, layers: 1, vocabulary: 258, isTied: false },
  },
] as const;

describe.each(SHAPES)("a Llama of another shape: $what", ({ change }) => {
  const model = () =>
    converted(randomLlama({ ...change, rotated: change.headSize, context: 128 }, { sharpness: 2, seed: 9 }), {
      maxT: 96,
    });
  const random = generator(change.headSize);
  const tokens = Array.from({ length: POSITIONS }, () => Math.floor(random() * change.vocabulary));

  it("has the reference's bits in every stored value, by decode, by prefill and in a batch", async () => {
    const llama = await model();
    const wasm = await llama.open(openWasm);
    const reference = await llama.open(openReference);
    const prefill = everything(wasm, llama, { tokens, slices: [POSITIONS] });
    expect(prefill[0]).toHaveLength(POSITIONS * change.vocabulary * 4);
    expect(everything(reference, llama, { tokens, slices: [POSITIONS] })).toEqual(prefill);
    expect(everything(wasm, llama, { tokens, slices: tokens.map(() => 1) })).toEqual(prefill);
    expect(everything(wasm, llama, { tokens, slices: [1, 31, 33, 2, 3] })).toEqual(prefill);
    expect(everything(wasm, llama, { tokens, slices: [17, 1, 1, 50, 1], beside: 4 })).toEqual(prefill);
    wasm.close();
  });

  it.each([
    { how: "greedily", temperature: 0, minP: 0 },
    { how: "with temperature and min-p", temperature: 0.8, minP: 0.05 },
    { how: "with temperature alone", temperature: 1.3, minP: 0 },
  ])("answers $how what the reference says is true", async ({ temperature, minP }) => {
    const llama = await model();
    const wasm = await llama.open(openWasm);
    const order = anOrder(llama, { prompt: tokens.slice(0, 3), limit: 6, temperature, minP, seed: 77n });
    const answer = generateWhole(wasm, order);
    const ok = { stage: wasm.program.stages.length - 1, fold: 0, steps: "all" as const };
    const reference = await llama.open(openReference);
    expect(reference.run({ ...answer, want: [ok] })).toEqual([new Uint8Array(answer.T).fill(1)]);
    wasm.close();
  });
});

/**
 * Every activation, logit and sample of a sequence that is read in slices, in a batch with `beside` sessions that read
 * other tokens.
 */
function everything(
  engine: Engine,
  llama: Converted,
  { tokens, slices, beside = 0 }: { tokens: number[]; slices: number[]; beside?: number },
): Uint8Array[] {
  const { logits, activations, sample } = llamaProgram(llama.configuration);
  const want = [logits, sample, ...activations.map(({ fold }) => fold)].map(({ stage, fold }) => ({
    ...{ stage, fold },
    steps: "all" as const,
  }));
  const { request } = anOrder(llama, { prompt: [1], limit: 1, temperature: 0.9, minP: 0.02, seed: 5n });
  const sessions = Array.from({ length: beside + 1 }, () => engine.open({ request }));
  const seen: Uint8Array[][] = want.map(() => []);
  let at = 0;
  for (const steps of slices) {
    const moves = sessions.map((session, other) => {
      const read = tokens.slice(at, at + steps).map((token) => (token + other) % llama.configuration.vocabulary);
      return { session, steps, claimed: [tokenBytes(read)], want: other === 0 ? want : [] };
    });
    // what is looked at stands between the others
    const middle = beside >> 1;
    const order = [...moves.slice(1, 1 + middle), ...moves.slice(0, 1), ...moves.slice(1 + middle)];
    for (const [i, bytes] of (engine.advance(order)[middle] ?? []).entries()) seen[i]?.push(bytes);
    at += steps;
  }
  for (const session of sessions) session.close();
  return seen.map((parts) => new Uint8Array(Buffer.concat(parts)));
}
