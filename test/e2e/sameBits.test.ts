// The real model gives the same bits however it is computed. That a tiny model equals the reference whole is in
// packages/workloads/test/llamaProgram.test.ts.
import { createHash } from "node:crypto";
import { type Engine, openWasm, type Want } from "@foldmark/machine";
import {
  generateWhole,
  llamaProgram,
  llamaRequest,
  type ModelPackage,
  parseLlamaConfiguration,
  spotCheck,
  tokenBytes,
} from "@foldmark/workloads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generator } from "../../packages/workloads/test/support/tinyLlama.ts";
import { defaultPackage } from "../support/defaultModel.ts";

const TEXT = `The lighthouse stood on a rock that had no name. Each evening the keeper climbed its 217 steps, lit the lamp
and wrote one line into a book: wind, weather, ships. In the winter of 1911 he wrote that a bottle had come in with the
tide. 瓶の中には手紙が一通。 for (let i = 0; i < 12; i++) console.log(i ** 2); He read it twice and put it back.`;
const OTHER = `SELECT name, sum(amount) FROM payments GROUP BY name HAVING sum(amount) > 100; -- die größten zuerst
A tide is a long wave. It follows the moon, a little late, and in narrow bays it grows taller than a house. ${TEXT}`;
const POSITIONS = 97;
const SAMPLING = { temperature: 0.8, minP: 0.02, seed: 20_261n };

let model: ModelPackage;
let engine: Engine;
let configuration: ReturnType<typeof parseLlamaConfiguration>;
let wants: Want[];
beforeAll(async () => {
  model = await defaultPackage();
  engine = await openWasm(model.program, model.constants);
  configuration = parseLlamaConfiguration(model.manifest.family?.configuration);
  const { logits } = llamaProgram(configuration);
  const [answer] = model.manifest.answers;
  if (!answer) throw new Error("the model has no answer");
  wants = [logits, answer].map(({ stage, fold }) => ({ stage, fold, steps: "all" }));
});
afterAll(() => engine?.close());

const tokensOf = (text: string) => model.tokenizer().encode(text).slice(0, POSITIONS);
const requestOf = (tokens: number[]) =>
  llamaRequest({ prompt: tokens.slice(0, 8), limit: POSITIONS, ...SAMPLING }, configuration);
const bytesOf = (tokens: number[]) => [tokenBytes(tokens)];

/** SHA-256 of logits and sampled token at each position. */
function digests([logits = new Uint8Array(), sampled = new Uint8Array()]: Uint8Array[]): string[] {
  const steps = sampled.length / 4;
  return Array.from({ length: steps }, (_, t) => {
    const width = logits.length / steps;
    const hash = createHash("sha256").update(logits.subarray(t * width, (t + 1) * width));
    return hash.update(sampled.subarray(4 * t, 4 * t + 4)).digest("hex");
  });
}

/** Reads a text in moves of `size` tokens. */
function read(tokens: number[], size: number): string[] {
  const session = engine.open({ request: requestOf(tokens) });
  try {
    const found: string[] = [];
    for (let t = 0; t < tokens.length; t += size) {
      const part = tokens.slice(t, t + size);
      const [result] = engine.advance([{ session, steps: part.length, claimed: bytesOf(part), want: wants }]);
      found.push(...digests(result ?? []));
    }
    return found;
  } finally {
    session.close();
  }
}

describe("the real model", () => {
  it("gives the same bits from decode, from prefill and from a batch", () => {
    const [one, other] = [tokensOf(TEXT), tokensOf(OTHER)];
    expect([one.length, other.length]).toEqual([POSITIONS, POSITIONS]);
    const prefill = read(one, POSITIONS);
    expect(new Set(prefill).size).toBe(POSITIONS);
    expect(read(one, 1)).toEqual(prefill);
    expect(read(one, 30)).toEqual(prefill); // 30, 30, 30, 7
    const second = read(other, POSITIONS);
    expect(second).not.toEqual(prefill);

    const sessions = [one, other].map((tokens) => engine.open({ request: requestOf(tokens) }));
    const [a = [], b = []] = engine.advance(
      [one, other].flatMap((tokens, i) => {
        const session = sessions[i];
        return session ? [{ session, steps: tokens.length, claimed: bytesOf(tokens), want: wants }] : [];
      }),
    );
    for (const session of sessions) session.close();
    expect(digests(a)).toEqual(prefill);
    expect(digests(b)).toEqual(second);
  });

  it("gives decoding sessions of a batch what each gets alone", () => {
    const [one, other] = [tokensOf(TEXT).slice(0, 24), tokensOf(OTHER).slice(0, 24)];
    const sessions = [one, other].map((tokens) => engine.open({ request: requestOf(tokens) }));
    const found: [string[], string[]] = [[], []];
    for (let t = 0; t < one.length; t++) {
      const moves = [one, other].flatMap((tokens, i) => {
        const session = sessions[i];
        return session ? [{ session, steps: 1, claimed: bytesOf(tokens.slice(t, t + 1)), want: wants }] : [];
      });
      for (const [i, result] of engine.advance(moves).entries()) found[i]?.push(...digests(result));
    }
    for (const session of sessions) session.close();
    expect(found).toEqual([read(one, 24), read(other, 24)]);
  });

  it("is the machine's definition at sampled elements of every stage", () => {
    const prompt = tokensOf(TEXT).slice(0, 8);
    const request = llamaRequest({ prompt, limit: 4, ...SAMPLING }, configuration);
    const { kind, answers, length, stopIds } = model.manifest;
    const job = generateWhole(engine, { model: { kind, answers, length, stopIds }, request, prompt, limit: 4 });
    const { constants } = model;
    const { elements, differences } = spotCheck(engine, { job, constants, perFold: 2, random: generator(11) });
    expect(differences).toEqual([]);
    expect(elements).toBe(2 * model.program.stages.length);
  });
});
