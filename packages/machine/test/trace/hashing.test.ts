import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tensorLeaves } from "../../src/commitments/index.ts";
import { levelsOf } from "../../src/commitments/tree.ts";
import { taggedHash } from "../../src/hash.ts";
import { HashLanes } from "../../src/trace/hashLanes.ts";
import { CONSTANTS_AT, FREE_AT, hashItems, shaConstants } from "../../src/trace/shaLanes.ts";
import { TensorStream } from "../../src/trace/tensorStream.ts";
import { instantiate } from "../../src/wasm/asm.ts";
import { webAssembly } from "../../src/wasm/webassembly.ts";
import { hex } from "../support/knownPrograms.ts";

/** Bytes from a seed, so that a failing case is small. */
const filled = (length: number, seed: number): Uint8Array => {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 0x2c1b3c6d) ^ (state >>> 13);
    return state >>> 24;
  });
};

describe("hashItems", () => {
  it("is SHA-256 of the prefix and each item, also in place and after a byte that is no part of it", () => {
    const memory = new webAssembly.Memory({ initial: 4, maximum: 4 });
    const bytes = new Uint8Array(memory.buffer);
    bytes.set(shaConstants(), CONSTANTS_AT);
    const { hash } = instantiate(memory, { hash: hashItems });
    const cases = fc.record({
      length: fc.constantFrom(64, 128, 192, 1_024),
      groups: fc.integer({ min: 1, max: 4 }),
      prefix: fc.integer({ min: 0, max: 255 }),
      offset: fc.integer({ min: 1, max: 65 }),
      isInPlace: fc.boolean(),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(cases, ({ length, groups, prefix, offset, isInPlace, seed }) => {
        const at = FREE_AT + offset;
        const count = 4 * groups;
        const items = filled(count * length, seed);
        bytes[at - 1] = seed;
        bytes.set(items, at);
        const out = isInPlace ? at : at + items.length;
        hash?.(at, length, groups, prefix, out);
        for (let i = 0; i < count; i++) {
          const expected = taggedHash(prefix, [items.subarray(i * length, (i + 1) * length)]);
          expect(hex(bytes.subarray(out + i * 32, out + (i + 1) * 32)), `item ${i}`).toBe(hex(expected));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("TensorStream", () => {
  it("keeps the upper levels of the tensor's tree, in whatever pieces its bytes come, tensor after tensor", () => {
    const lanes = new HashLanes();
    const streams = [4, 5, 7].map((keep) => ({ keep, stream: new TensorStream(lanes, keep) }));
    const cases = fc.record({
      leaves: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 300 })),
      rest: fc.integer({ min: 1, max: 1_024 }),
      pieces: fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 5 }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(cases, ({ leaves, rest, pieces, seed }) => {
        const bytes = filled(leaves * 1_024 + rest, seed);
        const expected = levelsOf(tensorLeaves(bytes));
        for (const { keep, stream } of streams) {
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const end = Math.min(bytes.length, at + (pieces[turn % pieces.length] ?? 1));
            stream.update(bytes.subarray(at, end));
            at = end;
          }
          const kept = stream.finish(keep);
          const base = Math.min(keep, expected.length - 1);
          expect(kept.base).toBe(base);
          expect(hex(kept.root)).toBe(hex(expected.at(-1)?.[0] ?? new Uint8Array()));
          for (const [height, level] of expected.entries())
            for (const index of [0, level.length >> 1, level.length - 1])
              expect(kept.node(height, index), `${height} ${index}`).toEqual(height < base ? undefined : level[index]);
          expect(kept.node(base, expected[base]?.length ?? 0)).toBeUndefined();
        }
      }),
      { numRuns: 60 },
    );
  });
});
