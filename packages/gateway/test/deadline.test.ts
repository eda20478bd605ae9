import { describe, expect, it } from "vitest";
import { allowedMs, before, DEFAULT_DEADLINES } from "../src/providers/deadline.ts";

const deadlines = { ...DEFAULT_DEADLINES, firstTokenMs: 10_000, betweenTokensMs: 3_000, minTokensPerSecond: 2 };

describe("allowedMs", () => {
  it.each([
    { behaviour: "gives the first token its own time", waitedMs: 4_000, tokens: 0, ms: 6_000 },
    { behaviour: "gives every later one the same", waitedMs: 9_000, tokens: 5, ms: 3_000 },
    { behaviour: "ends a drip that keeps every single deadline", waitedMs: 14_000, tokens: 9, ms: 1_000 },
    { behaviour: "has nothing left for one that is far too slow", waitedMs: 20_000, tokens: 9, ms: -5_000 },
  ])("$behaviour", ({ waitedMs, tokens, ms }) => {
    expect(allowedMs(deadlines, { waitedMs, tokens })).toBe(ms);
  });
});

describe("before", () => {
  const now = () => 0;
  it("gives what comes in time", async () => {
    expect(await before(Promise.resolve(5), { deadline: 1_000, now })).toBe(5);
  });
  it("throws at the deadline", async () => {
    await expect(before(new Promise(() => {}), { deadline: 1, now })).rejects.toMatchObject({
      code: "provider.stalled",
    });
  });
  it("throws when the caller goes", async () => {
    const gone = new AbortController();
    const waiting = before(new Promise(() => {}), { deadline: 10_000, now, signal: gone.signal });
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: "request.cancelled" });
  });
});
