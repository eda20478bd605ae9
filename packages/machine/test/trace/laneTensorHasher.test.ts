import fc from "fast-check";
import { expect, it } from "vitest";
import { tensorRoot } from "../../src/commitments/index.ts";
import { LaneTensorHasher } from "../../src/trace/laneTensorHasher.ts";

it("gives the roots of tensors of any length, one after the other, in pieces of any length", () => {
  const hasher = new LaneTensorHasher();
  const lengths = fc.oneof(
    fc.constantFrom(0, 1, 1_023, 1_024, 1_025, 4_096, 65_535, 65_536, 65_537, 131_072),
    fc.nat(200_000),
  );
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 9_000 }), fc.nat(255), (length, piece, seed) => {
      const bytes = Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 13);
      for (let at = 0; at < length; at += piece) hasher.update(bytes.subarray(at, at + piece));
      expect(hasher.root()).toEqual(tensorRoot(bytes));
    }),
    { numRuns: 60 },
  );
});
