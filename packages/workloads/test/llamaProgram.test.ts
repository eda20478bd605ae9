import { type Engine, examineProgram, openReference, openWasm, type Session } from "@foldmark/machine";
import { describe, expect, it } from "vitest";
import { spotCheck } from "../src/execution/spotCheck.ts";
import { families } from "../src/families/index.ts";
import { type LlamaConfiguration, parseLlamaConfiguration } from "../src/llama/configuration.ts";
import { llamaConstants } from "../src/llama/layout.ts";
import { llamaProgram } from "../src/llama/program.ts";
import { llamaRequest, tokenBytes } from "../src/llama/request.ts";
import { converted, generator, randomLlama } from "./support/tinyLlama.ts";

const layer = {
  ...{ attentionNorm: 43, query: 22, key: 20, value: 26, score: 4, attentionOut: 24 },
  ...{ ffnNorm: 42, gate: 23, up: 23, gateBits: 11, hidden: 11, down: 18 },
};
const smol: LlamaConfiguration = {
  ...{ maxT: 2_048, vocabulary: 49_152, width: 576, ffn: 1_536, heads: 9, kvHeads: 3, headSize: 64, isTied: true },
  ...{ stopIds: [2, 0], epsilon: 6_040, residualBits: 26, embedding: 11, headNorm: 45, head: 12 },
  layers: Array.from({ length: 30 }, () => layer),
};

describe("llamaProgram", () => {
  it("takes 19 stages a layer and seven around them", () => {
    const { program, logits, sample } = llamaProgram(smol);
    expect(program.stages).toHaveLength(577);
    expect([logits.stage, sample.stage]).toEqual([573, 575]);
    expect(llamaProgram({ ...smol, layers: [layer] }).program.stages).toHaveLength(26);
  });

  it("is accepted: every element can be refuted on chain, no sum overflows, and answers come step by step", () => {
    const { refusals, notStepwise, costs, traceBytes } = examineProgram(llamaProgram(smol).program);
    expect({ refusals, notStepwise }).toEqual({ refusals: [], notStepwise: [] });
    expect(Math.max(...costs.map(({ gas }) => gas))).toBeLessThan(3_500_000);
    expect(Math.max(...costs.map(({ evidenceBytes }) => evidenceBytes))).toBeLessThan(35_000);
    expect(traceBytes).toBeLessThan(5_200_000_000n);
  });

  it("is the same program for the same configuration, also by its family", () => {
    const json: unknown = JSON.parse(JSON.stringify(smol));
    expect(families.get("llama")?.build(json).program).toEqual(llamaProgram(smol).program);
  });
});

describe("parseLlamaConfiguration", () => {
  it.each([
    { what: "an unknown field", change: { extra: 1 } },
    { what: "a missing field", change: { head: undefined } },
    { what: "key heads that do not divide the heads", change: { kvHeads: 2 } },
    { what: "a head size that is no power of two", change: { headSize: 48 } },
    { what: "too few fraction bits for the sigmoid", change: { layers: [{ ...layer, gateBits: 3 }] } },
    { what: "no layer", change: { layers: [] } },
    { what: "a stop token behind the vocabulary", change: { stopIds: [49_152] } },
    { what: "a stop token twice", change: { stopIds: [2, 2] } },
    { what: "nine stop tokens", change: { stopIds: [1, 2, 3, 4, 5, 6, 7, 8, 9] } },
    { what: "a shift that no operation has", change: { head: 63 } },
  ])("refuses $what", ({ change }) => {
    expect(() => parseLlamaConfiguration({ ...smol, ...change })).toThrow(
      expect.objectContaining({ code: "llama.configuration_invalid" }),
    );
  });

  it("takes what it gave, through JSON", () => {
    expect(parseLlamaConfiguration(JSON.parse(JSON.stringify(smol)))).toEqual(smol);
  });
});

describe("the integers of a tiny Llama", () => {
  const tokens = [7, 33, 12, 63, 0, 5, 5, 18];

  /** Every activation and logit of a sequence that is read `chunk` tokens at a time. */
  function everything(engine: Engine, configuration: LlamaConfiguration, chunk: number): Uint8Array[] {
    const { logits, activations, sample } = llamaProgram(configuration);
    const want = [logits, sample, ...activations.map(({ fold }) => fold)].map(({ stage, fold }) => ({
      ...{ stage, fold },
      steps: "all" as const,
    }));
    const request = [
      new Uint8Array(4 * 32),
      new Uint8Array(new BigInt64Array([3n, 5n, 77n, 50_000n, 2n ** 40n, 0n, 0n, 0n]).buffer),
    ];
    const session = engine.open({ request });
    const seen: Uint8Array[][] = want.map(() => []);
    for (let at = 0; at < tokens.length; at += chunk) {
      const read = tokens.slice(at, at + chunk);
      const [result] = engine.advance([{ session, steps: read.length, claimed: [tokenBytes(read)], want }]);
      for (const [i, bytes] of (result ?? []).entries()) seen[i]?.push(bytes);
    }
    session.close();
    return seen.map((parts) => new Uint8Array(Buffer.concat(parts)));
  }

  it.each([
    { what: "tied, two heads a key", change: {} },
    {
      what: "untied, one key head, partly rotated, wide",
      change: { isTied: false, heads: 2, kvHeads: 1, headSize: 16 },
    },
    { what: "a key for each head", change: { kvHeads: 4, width: 64 } },
  ])("are the same by decode, by prefill and by the reference: $what", async ({ change }) => {
    const tiny = await converted(randomLlama(change, { sharpness: 2 }));
    const reference = await tiny.open(openReference);
    const wasm = await tiny.open(openWasm);
    const prefill = everything(wasm, tiny.configuration, tokens.length);
    expect(prefill[0]).toHaveLength(tokens.length * 64 * 4);
    expect(everything(wasm, tiny.configuration, 1)).toEqual(prefill);
    expect(everything(wasm, tiny.configuration, 3)).toEqual(prefill);
    expect(everything(reference, tiny.configuration, tokens.length)).toEqual(prefill);
    wasm.close();
  });
});

describe("a batch", () => {
  it("gives every session what it gets alone", async () => {
    const tiny = await converted(randomLlama({}, { sharpness: 2 }));
    const engine = await tiny.open(openWasm);
    const { logits } = llamaProgram(tiny.configuration);
    const want = [{ stage: logits.stage, fold: logits.fold, steps: "all" as const }];
    const request = [new Uint8Array(4 * 32), new Uint8Array(64)];
    const reads = [
      [[7, 33, 12], [5]],
      [[1], [2, 3]],
      [
        [9, 9, 9, 9],
        [60, 61],
      ],
    ];
    const move = (session: Session, tokens: number[]) => ({
      session,
      steps: tokens.length,
      claimed: [tokenBytes(tokens)],
      want,
    });
    const alone = reads.map((turns) => {
      const session = engine.open({ request });
      return turns.map((tokens) => engine.advance([move(session, tokens)])[0]);
    });
    const sessions = reads.map(() => engine.open({ request }));
    for (const turn of [0, 1]) {
      const together = engine.advance(reads.map((turns, i) => move(sessions[i] as Session, turns[turn] as number[])));
      expect(together).toEqual(alone.map((turns) => turns[turn]));
    }
    engine.close();
  });
});

describe("spotCheck", () => {
  it("finds every sampled element of an honest engine right, and a wrong weight at the folds that read it", async () => {
    const tiny = await converted(randomLlama({}, { sharpness: 2 }));
    const engine = await tiny.open(openWasm);
    const tokens = [7, 33, 12, 63];
    const request = llamaRequest({ prompt: tokens, limit: 4, temperature: 1, minP: 0, seed: 3n }, tiny.configuration);
    const job = { request, claimed: [tokenBytes(tokens)], T: 4 };
    const constants = (index: number) => tiny.constants[index] as Uint8Array;
    const honest = spotCheck(engine, { job, constants, perFold: 3, random: generator(8) });
    expect(honest).toEqual({ elements: 3 * engine.program.stages.length, differences: [] });

    const names = [...llamaConstants(tiny.configuration).keys()];
    const changed = names.indexOf("layer.0.gate");
    const wrong = (index: number) => (index === changed ? constants(index).map((byte) => byte ^ 3) : constants(index));
    const found = spotCheck(engine, { job, constants: wrong, perFold: 3, random: generator(8) });
    expect(new Set(found.differences.map(({ stage }) => stage))).toEqual(new Set([16]));
    engine.close();
  });
});
