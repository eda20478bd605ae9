import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena, blockBytes } from "../../src/wasm/memory.ts";

const LIMIT = 16 * 65_536;
/** Bytes to allocate, or which of the blocks to free. */
const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 300_000 }), fc.integer({ min: -40, max: -1 })), {
  maxLength: 80,
});

describe("the arena", () => {
  it("hands out blocks that do not overlap and keep their content, wherever they are moved", () =>
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.boolean()), (script, areOwned) => {
        const arena = new Arena(LIMIT);
        const blocks: { at: number; bytes: number; mark: number; moveTo(at: number): void }[] = [];
        for (const [index, step] of script.entries()) {
          if (step < 0) {
            const [block] = blocks.splice((-step - 1) % Math.max(blocks.length, 1), 1);
            if (block) arena.free(block.at);
            continue;
          }
          const block = {
            ...{ at: 0, bytes: step, mark: index + 1 },
            moveTo(at: number) {
              this.at = at;
            },
          };
          const isOwned = areOwned.next().value as boolean;
          try {
            block.at = arena.allocate(step, isOwned ? block : undefined);
          } catch (error) {
            expect(error).toMatchObject({ code: "machine.out_of_memory" });
            continue;
          }
          arena.bytes.fill(block.mark, block.at, block.at + step);
          blocks.push(block);
        }
        expect(arena.bytes.length).toBeLessThanOrEqual(LIMIT);
        expect(arena.usedBytes).toBe(blocks.reduce((sum, { bytes }) => sum + blockBytes(bytes), 0));
        for (const { at, bytes, mark } of blocks) {
          const isWhole = arena.bytes.subarray(at, at + bytes).every((byte) => byte === mark);
          expect(isWhole, `block ${mark} of ${bytes} bytes at ${at}`).toBe(true);
        }
      }),
      { numRuns: 100 },
    ));

  it("finds room for a block as long as so many bytes are free, in whatever pieces", () =>
    fc.assert(
      fc.property(steps, (script) => {
        const arena = new Arena(LIMIT);
        const blocks: { at: number; moveTo(at: number): void }[] = [];
        for (const step of script) {
          const block = {
            at: 0,
            moveTo(at: number) {
              this.at = at;
            },
          };
          if (step < 0) {
            const [freed] = blocks.splice((-step - 1) % Math.max(blocks.length, 1), 1);
            if (freed) arena.free(freed.at);
          } else if (blockBytes(step) <= arena.freeBytes) {
            block.at = arena.allocate(step, block);
            blocks.push(block);
          } else
            expect(() => arena.allocate(step, block)).toThrow(
              expect.objectContaining({ code: "machine.out_of_memory" }),
            );
        }
        for (const { at } of blocks) arena.free(at);
        expect(arena.usedBytes).toBe(0);
      }),
      { numRuns: 100 },
    ));

  it("leaves the owner of a block one of the old size when there is no larger one", () => {
    const arena = new Arena(LIMIT);
    const owner = { at: -1, moveTo: (at: number) => Object.assign(owner, { at }) };
    const old = arena.allocate(65_536, owner);
    arena.allocate(8 * 65_536);
    expect(() => arena.exchange(old, 12 * 65_536, owner)).toThrow(
      expect.objectContaining({ code: "machine.out_of_memory" }),
    );
    expect(owner.at).toBe(old);
    expect(arena.usedBytes).toBe(9 * 65_536);
    arena.free(owner.at);
  });

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
