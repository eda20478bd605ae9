import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomJob } from "../../../src/testing/index.ts";
import { BlockBuffers } from "../../../src/wasm/buffers.ts";
import { readFolds, sessionFolds } from "../../../src/wasm/folds.ts";
import { Arena } from "../../../src/wasm/memory.ts";
import type { Place } from "../../../src/wasm/places.ts";
import { segmentsOf } from "../../../src/wasm/segments.ts";
import { tinyTransformer } from "../tinyTransformer.ts";

const transformer = tinyTransformer({
  ...{ maxT: 20, width: 8, heads: 2, group: 1, headSize: 4, vocabulary: 9, layers: 2 },
});
const programs = fc.oneof(
  { weight: 9, arbitrary: randomJob({ stepwise: true }).map(({ program }) => program) },
  { weight: 1, arbitrary: fc.constant(transformer.program) },
);
/** Any folds may be matrix products, as far as segments are concerned. */
const products = fc.func(fc.boolean()).map((decide) => (fold: number) => decide(fold));

describe("segments for several threads", () => {
  it("load nothing of other rows that they compute, except in loops", () =>
    fc.assert(
      fc.property(programs, products, (program, isProduct) => {
        const folds = readFolds(program);
        for (const segment of segmentsOf(program, folds, { isProduct, split: true })) {
          if (!segment.independent) continue;
          for (const fold of segment.folds)
            for (const site of folds.codes[fold]?.sites ?? []) {
              const loaded = folds.target(site);
              if (loaded === undefined || !segment.folds.includes(loaded)) continue;
              expect(site, `fold ${fold} loads ${loaded}`).toMatchObject({ via: "fold", current: true });
            }
        }
      }),
      { numRuns: 200 },
    ));

  it("are as few as without threads where no row loads another's, and hold the same folds in order", () =>
    fc.assert(
      fc.property(programs, products, (program, isProduct) => {
        const folds = readFolds(program);
        const [whole, split] = [false, true].map((each) => segmentsOf(program, folds, { isProduct, split: each }));
        expect(split?.flatMap((segment) => segment.folds)).toEqual(whole?.flatMap((segment) => segment.folds));
        expect(split?.length).toBeGreaterThanOrEqual(whole?.length ?? 0);
      }),
      { numRuns: 100 },
    ));

  it("separate a transformer's keys from the scores over them", () => {
    const folds = readFolds(transformer.program);
    const count = (split: boolean) => segmentsOf(transformer.program, folds, { isProduct: () => false, split }).length;
    // values and keys end a segment in each of two layers
    expect([count(false), count(true)]).toEqual([1, 3]);
  });
});

it("gives rows that are computed at the same time buffers of their own", () =>
  fc.assert(
    fc.property(programs, products, fc.integer({ min: 2, max: 16 }), (program, isProduct, lanes) => {
      const folds = readFolds(program);
      const segments = segmentsOf(program, folds, { isProduct, split: true });
      const segmentOf: number[] = [];
      for (const [at, { folds: own }] of segments.entries()) for (const fold of own) segmentOf[fold] = at;
      let places: (Place | undefined)[] = [];
      const arena = new Arena(2 ** 28);
      const session = sessionFolds(program, 64);
      const place = (given: (Place | undefined)[]) => {
        places = given;
      };
      new BlockBuffers({ arena, folds, session, segmentOf, lanes, place }).fit(8, 16);
      // folds of one segment are alive at once, each in all of its slots or lanes
      for (const { folds: own } of segments) {
        const pieces = own.flatMap((fold) => {
          const at = places[fold];
          if (at === undefined) return [];
          const count = at.by === "lane" ? Math.min(lanes, 8) : 8;
          return Array.from({ length: count }, (_, n) => ({
            ...{ fold, from: at.base + n * at.stepStride, to: at.base + (n + 1) * at.stepStride },
          }));
        });
        pieces.sort((a, b) => a.from - b.from);
        for (const [n, { from, to, fold }] of pieces.entries()) {
          expect(to, `fold ${fold}`).toBeGreaterThan(from);
          expect(pieces[n + 1]?.from ?? to, `after fold ${fold}`).toBeGreaterThanOrEqual(to);
        }
      }
    }),
    { numRuns: 100 },
  ));
