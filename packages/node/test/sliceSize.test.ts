import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SliceSize } from "../src/engine/sliceSize.ts";

/** Slices that have seen streams and prompts go by at such speeds. */
function aSliceSize({ streamMs = 3, readMs = 2.5 } = {}): SliceSize {
  const slices = new SliceSize();
  slices.note({ streams: 8, reading: 0, ms: 8 * streamMs });
  slices.note({ streams: 0, reading: 64, ms: 64 * readMs });
  return slices;
}

describe("SliceSize", () => {
  it.each([
    { behaviour: "a whole block while nothing streams", streams: 0, tokens: 64 },
    { behaviour: "a whole block while nothing streams, however slow it is", streams: 0, readMs: 100, tokens: 64 },
    { behaviour: "as much as fits into 75 ms", streams: 1, tokens: 28 },
    { behaviour: "less beside more streams", streams: 8, tokens: 20 },
    { behaviour: "half of it where two models take turns", streams: 1, share: 2, tokens: 13 },
    { behaviour: "less after what has kept its streams waiting", streams: 1, spentMs: 30, tokens: 16 },
    { behaviour: "no more than a block with its streams", streams: 8, streamMs: 0.1, readMs: 0.1, tokens: 56 },
    { behaviour: "a little, however slow it is", streams: 60, tokens: 4 },
  ])("reads $behaviour", ({ streams, share = 1, spentMs = 0, tokens, ...speeds }) => {
    expect(aSliceSize(speeds).tokens({ streams, share, spentMs })).toBe(tokens);
  });

  it("starts small, and takes prompts for as slow as streams until one was read", () => {
    const slices = new SliceSize();
    const tokens = () => slices.tokens({ streams: 1, share: 1, spentMs: 0 });
    const sizes = [tokens()];
    slices.note({ streams: 1, reading: 0, ms: 5 });
    sizes.push(tokens());
    slices.note({ streams: 1, reading: 14, ms: 5 + 14 * 2 });
    sizes.push(tokens());
    expect(sizes).toEqual([4, 14, 35]);
  });

  it("comes to what fits, at whatever speed and whatever it has seen before", () => {
    const speed = fc.record({
      streamMs: fc.double({ min: 0.5, max: 20, noNaN: true }),
      readMs: fc.double({ min: 0.5, max: 20, noNaN: true }),
    });
    fc.assert(
      fc.property(speed, speed, fc.integer({ min: 1, max: 20 }), (before, now, streams) => {
        const slices = aSliceSize(before);
        const call = () => {
          const reading = slices.tokens({ streams, share: 1, spentMs: 0 });
          return { streams, reading, ms: streams * now.streamMs + reading * now.readMs };
        };
        for (let calls = 0; calls < 300; calls++) slices.note(call());
        const { reading, ms } = call();
        // to a token, since what one takes depends on how many there were
        expect(reading === 4 || ms - now.readMs <= 75.5, `${reading} tokens in ${ms} ms`).toBe(true);
      }),
    );
  });
});
