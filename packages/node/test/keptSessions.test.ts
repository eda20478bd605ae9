import { openWasmWith, type Session, type WasmEngine } from "@foldmark/machine";
import { tokenBytes } from "@foldmark/workloads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anOrder, converted, randomLlama } from "../../workloads/test/support/tinyLlama.ts";
import { KeptSessions } from "../src/engine/keptSessions.ts";

let engine: WasmEngine;
let request: Uint8Array[];
beforeAll(async () => {
  const tiny = await converted(randomLlama({ context: 256 }), { maxT: 256, stopIds: [] });
  engine = await openWasmWith(tiny.model.program, (index) => tiny.constants[index] as Uint8Array, {});
  ({ request } = anOrder(tiny, { prompt: [1], limit: 1 }));
});
afterAll(() => engine.close());

/** A session that has read tokens, kept and closed. */
function keep(kept: KeptSessions, payer: string, tokens: number[]): void {
  const session: Session = engine.open({ request });
  engine.advance([{ session, steps: tokens.length, claimed: [tokenBytes(tokens)], want: [] }]);
  kept.keep({ payer, tokens, session });
  session.close();
}

const tokens = (length: number, from = 0) => Array.from({ length }, (_, t) => (from + 5 * t) % 64);
const stepsOf = (kept: KeptSessions, prompt: number[], payer = "a") => kept.find({ payer, prompt })?.steps;

describe("KeptSessions", () => {
  it("finds what has read most of a prompt, but never all of it", () => {
    const kept = new KeptSessions(engine);
    keep(kept, "a", tokens(10));
    keep(kept, "a", [...tokens(6), 60, 61]);
    expect(stepsOf(kept, [...tokens(10), 1, 2])).toBe(10);
    expect(stepsOf(kept, [...tokens(6), 60, 1])).toBe(7);
    expect(stepsOf(kept, tokens(10))).toBe(9);
    expect(stepsOf(kept, tokens(1))).toBeUndefined();
    expect(stepsOf(kept, tokens(9, 1))).toBeUndefined();
    expect(stepsOf(kept, tokens(10), "b")).toBeUndefined();
    while (kept.dropOldest());
  });

  it("keeps the longest of what begins alike, and gives the memory of the rest back", () => {
    const kept = new KeptSessions(engine);
    keep(kept, "a", tokens(100));
    while (kept.dropOldest());
    const before = engine.usedBytes;
    for (const length of [5, 100, 40]) keep(kept, "a", tokens(length));
    expect(stepsOf(kept, tokens(200))).toBe(100);
    expect(kept.dropOldest()).toBe(true);
    expect([kept.dropOldest(), stepsOf(kept, tokens(200))]).toEqual([false, undefined]);
    expect(engine.usedBytes).toBe(before);
  });

  it("holds no more memory than it may, and drops what was not used for longest", () => {
    const kept = new KeptSessions(engine, { limitBytes: 2 * engine.sessionBytes(50) });
    keep(kept, "a", tokens(50, 1));
    keep(kept, "a", tokens(50, 2));
    expect(stepsOf(kept, tokens(50, 1))).toBe(49);
    keep(kept, "b", tokens(50, 3));
    expect([1, 2].map((from) => stepsOf(kept, tokens(50, from)))).toEqual([49, undefined]);
    expect(stepsOf(kept, tokens(50, 3), "b")).toBe(49);
    keep(kept, "a", tokens(250, 4));
    expect(stepsOf(kept, tokens(250, 4))).toBeUndefined();
    while (kept.dropOldest());
  });

  it("drops after ten minutes what nobody has used in them", () => {
    let now = 0;
    const kept = new KeptSessions(engine, { clock: () => now });
    keep(kept, "a", tokens(10, 1));
    keep(kept, "a", tokens(10, 2));
    now = 400_000;
    expect(stepsOf(kept, tokens(10, 1))).toBe(9);
    now = 700_000;
    kept.dropOld();
    expect([1, 2].map((from) => stepsOf(kept, tokens(10, from)))).toEqual([9, undefined]);
    now = 1_400_000;
    kept.dropOld();
    expect(kept.dropOldest()).toBe(false);
  });
});
