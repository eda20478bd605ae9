import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cancellations } from "../src/engine/cancellations.ts";

describe("Cancellations", () => {
  it("tells whoever shares its memory of every run that was called off, and of no other", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 1_024 })),
        fc.integer({ min: 0, max: 2 ** 20 }),
        (ids, base) => {
          const here = new Cancellations();
          const there = new Cancellations(here.shared);
          for (const id of ids) here.add(base + id);
          const seen = Array.from({ length: 2_048 }, (_, at) => base + at + 1).filter((id) => there.has(id));
          expect(seen).toEqual(ids.map((id) => base + id).toSorted((a, b) => a - b));
        },
      ),
    );
  });
});
