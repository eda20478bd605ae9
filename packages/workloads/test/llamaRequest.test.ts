import { describe, expect, it } from "vitest";
import {
  type LlamaOrder,
  llamaRequest,
  readLlamaRequest,
  tokenBytes,
  tokensOf,
  withLimit,
} from "../src/llama/request.ts";

const bounds = { maxT: 16, vocabulary: 100 };
const order = (change: Partial<LlamaOrder> = {}): LlamaOrder => ({
  prompt: [5, 0, 99],
  limit: 4,
  temperature: 0,
  minP: 0,
  seed: 7n,
  ...change,
});
const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
};

describe("llamaRequest", () => {
  it("writes tokens and parameters that read back", () => {
    const seed = 2n ** 64n - 3n;
    const request = llamaRequest(order({ seed, temperature: 0.5, minP: 0.1 }), bounds);
    expect(request.map(({ length }) => length)).toEqual([64, 64]);
    expect(readLlamaRequest(request, bounds)).toEqual({
      prompt: [5, 0, 99],
      limit: 4,
      seed,
      inverseTemperature: 131_072n,
      gap: BigInt(Math.round(-Math.log(0.1) * 0.5 * 65_536)),
    });
  });

  it.each([
    { temperature: 0, minP: 0, inverse: 0, gap: 2 ** 40, what: "greedy, off" },
    { temperature: 0, minP: 0.1, inverse: 0, gap: 0, what: "greedy leaves the gap closed" },
    { temperature: 1, minP: 1, inverse: 65_536, gap: 0, what: "only the best" },
    { temperature: 0.7, minP: 0.05, inverse: 93_623, gap: 137_430, what: "usual values" },
    { temperature: 1e-6, minP: 0, inverse: 2 ** 24, gap: 2 ** 40, what: "the largest inverse" },
    { temperature: 2, minP: 1e-60, inverse: 32_768, gap: 2 ** 40, what: "a part too small to matter" },
  ])("turns temperature $temperature and min_p $minP into integers: $what", ({ temperature, minP, inverse, gap }) => {
    const read = readLlamaRequest(llamaRequest(order({ temperature, minP }), bounds), bounds);
    expect([read.inverseTemperature, read.gap]).toEqual([BigInt(inverse), BigInt(gap)]);
  });

  it.each([
    { what: "an empty prompt", change: { prompt: [] }, code: "request.prompt_length" },
    {
      what: "a prompt that fills every position",
      change: { prompt: Array(16).fill(1) },
      code: "request.prompt_length",
    },
    { what: "a prompt far beyond", change: { prompt: Array(99).fill(1) }, code: "request.prompt_length" },
    { what: "no room for an answer", change: { limit: 0 }, code: "request.limit" },
    { what: "a limit past the last position", change: { limit: 14 }, code: "request.too_long" },
    { what: "a token behind the vocabulary", change: { prompt: [100] }, code: "request.token_unknown" },
    { what: "a token below it", change: { prompt: [1, -1] }, code: "request.token_unknown" },
    { what: "a token that wraps to a known one", change: { prompt: [2 ** 32 + 1] }, code: "request.token_unknown" },
    { what: "half a token", change: { prompt: [1.5] }, code: "request.whole_number" },
    { what: "half a limit", change: { limit: 1.5 }, code: "request.whole_number" },
    { what: "a negative temperature", change: { temperature: -1 }, code: "request.temperature" },
    { what: "no temperature", change: { temperature: Number.NaN }, code: "request.temperature" },
    { what: "a min_p above 1", change: { minP: 1.01 }, code: "request.min_p" },
  ])("refuses $what", ({ change, code }) => {
    expect(codeOf(() => llamaRequest(order(change), bounds))).toBe(code);
  });
});

describe("readLlamaRequest", () => {
  const changed = (tensor: number, column: number, value: bigint) => {
    const request = llamaRequest(order(), bounds);
    const bytes = request[tensor] as Uint8Array;
    const view = new DataView(bytes.buffer);
    if (tensor === 0) view.setInt32(4 * column, Number(value), true);
    else view.setBigInt64(8 * column, value, true);
    return request;
  };

  it.each([
    { what: "another number of tensors", request: [new Uint8Array(64)], code: "request.shape" },
    { what: "tensors of another model", request: [new Uint8Array(60), new Uint8Array(64)], code: "request.shape" },
    {
      what: "the longest prompt that 64 bits name",
      request: changed(1, 0, 2n ** 63n - 1n),
      code: "request.prompt_length",
    },
    { what: "a negative prompt", request: changed(1, 0, -1n), code: "request.prompt_length" },
    { what: "a limit that wraps with the prompt", request: changed(1, 1, 2n ** 63n - 1n), code: "request.too_long" },
    { what: "a negative limit", request: changed(1, 1, -(2n ** 63n)), code: "request.limit" },
    { what: "tokens behind the prompt", request: changed(0, 9, 1n), code: "request.padding" },
    { what: "a parameter without a meaning", request: changed(1, 7, 1n), code: "request.padding" },
  ])("refuses $what", ({ request, code }) => {
    expect(codeOf(() => readLlamaRequest(request, bounds))).toBe(code);
  });

  it("accepts the last position", () => {
    expect(readLlamaRequest(llamaRequest(order({ limit: 13 }), bounds), bounds).limit).toBe(13);
  });
});

describe("withLimit", () => {
  it("changes the limit and nothing else, in a copy", () => {
    const request = llamaRequest(order({ temperature: 1 }), bounds);
    const before = readLlamaRequest(request, bounds);
    expect(readLlamaRequest(withLimit(request, 2), bounds)).toEqual({ ...before, limit: 2 });
    expect(readLlamaRequest(request, bounds)).toEqual(before);
  });
});

describe("tokenBytes", () => {
  it("writes what tokensOf reads, from any place in a buffer", () => {
    const tokens = [0, 99, -1, 2 ** 31 - 1];
    const padded = new Uint8Array(17);
    padded.set(tokenBytes(tokens), 1);
    expect(tokensOf(padded.subarray(1))).toEqual(tokens);
  });
});
