import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/wasm/memory.ts";

describe("the arena", () => {
  it("hands out blocks that do not overlap, and takes all of them back", () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: -40, max: -1 })), { maxLength: 60 }),
        (steps) => {
          const arena = new Arena(2 ** 28);
          const blocks: { at: number; bytes: number }[] = [];
          for (const step of steps) {
            if (step < 0) {
              const [block] = blocks.splice((-step - 1) % Math.max(blocks.length, 1), 1);
              if (block) arena.free(block.at);
              continue;
            }
            const at = arena.allocate(step);
            expect(at + step).toBeLessThanOrEqual(arena.bytes.length);
            for (const other of blocks) expect(at >= other.at + other.bytes || at + step <= other.at).toBe(true);
            blocks.push({ at, bytes: step });
          }
          const whole = arena.bytes.length;
          for (const { at } of blocks) arena.free(at);
          expect(arena.usedBytes).toBe(0);
          // everything is one hole again: what fitted before fits without growing
          arena.allocate(Math.max(64, whole - 65_536));
          expect(arena.bytes.length).toBe(whole);
        },
      ),
      { numRuns: 60 },
    ));

  it("says how much is wanted, used and allowed when a block does not fit", () => {
    const arena = new Arena(10 * 65_536);
    arena.allocate(65_536);
    expect(() => arena.allocate(10 * 65_536)).toThrow(
      expect.objectContaining({
        code: "machine.out_of_memory",
        details: { wanted: 655_360, used: 65_536, limit: 655_360 },
      }),
    );
    expect(arena.usedBytes).toBe(65_536);
  });
});
