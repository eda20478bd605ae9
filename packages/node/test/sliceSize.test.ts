import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SliceSize } from "../src/engine/sliceSize.ts";

describe("SliceSize", () => {
  it("reads a whole block while nothing streams", () => {
    const slices = new SliceSize();
    slices.note({ rows: 64, reading: 64, ms: 10_000 });
    expect(slices.tokens({ streams: 0, share: 1, spentMs: 0 })).toBe(64);
  });

  it.each([
    { behaviour: "as much as fits into 75 ms", streams: 1, rowMs: 2.7, tokens: 26 },
    { behaviour: "less beside more streams", streams: 8, rowMs: 2.7, tokens: 19 },
    { behaviour: "half of it where two models take turns", streams: 1, share: 2, rowMs: 2.7, tokens: 12 },
    { behaviour: "less after what has kept its streams waiting", streams: 1, spentMs: 30, rowMs: 2.7, tokens: 15 },
    { behaviour: "no more than a block with its streams", streams: 8, rowMs: 0.1, tokens: 56 },
    { behaviour: "a little, however slow it is", streams: 60, rowMs: 5, tokens: 4 },
  ])("reads $behaviour", ({ streams, share = 1, spentMs = 0, rowMs, tokens }) => {
    const slices = new SliceSize();
    slices.note({ rows: 64, reading: 64, ms: 64 * rowMs });
    expect(slices.tokens({ streams, share, spentMs })).toBe(tokens);
  });

  it("starts small, goes by what decoding takes, and then by what reading takes", () => {
    const slices = new SliceSize();
    const tokens = () => slices.tokens({ streams: 1, share: 1, spentMs: 0 });
    const sizes = [tokens()];
    slices.note({ rows: 1, reading: 0, ms: 5 });
    sizes.push(tokens());
    slices.note({ rows: 16, reading: 15, ms: 32 });
    sizes.push(tokens());
    slices.note({ rows: 1, reading: 0, ms: 50 });
    sizes.push(tokens());
    expect(sizes).toEqual([4, 14, 36, 36]);
  });

  it("comes to what fits, at whatever speed", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 30, noNaN: true }), fc.integer({ min: 1, max: 20 }), (rowMs, streams) => {
        const slices = new SliceSize();
        slices.note({ rows: 64, reading: 64, ms: 64 });
        for (let call = 0; call < 200; call++) {
          const reading = slices.tokens({ streams, share: 1, spentMs: 0 });
          slices.note({ rows: reading + streams, reading, ms: (reading + streams) * rowMs });
        }
        const reading = slices.tokens({ streams, share: 1, spentMs: 0 });
        expect(reading === 4 || (reading + streams) * rowMs <= 75.5).toBe(true);
      }),
    );
  });
});
