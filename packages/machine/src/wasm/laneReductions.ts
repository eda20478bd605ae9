import { i32x4, i64, i64x2, type Local, type Locals, local, v128 } from "./asm.ts";
import type { Node } from "./graph.ts";
import { I64 } from "./ranges.ts";
import type { VectorEmitter } from "./vectors/emitter.ts";
import { HALVES, LOW_WORDS, type Wide } from "./vectors/lanes.ts";

/** 32-bit lanes. */
export type LaneIndices = Local<"v128">;

/** Runs over k, computing a term for each lane before `turn`. */
type Turns = (turn: () => void) => void;

/** A sum over k in each lane. */
export function sumInLanes(
  locals: Locals,
  vectors: VectorEmitter,
  { term, turns }: { term: Node; turns: Turns },
): Wide {
  const sums = { low: locals.v128(), high: locals.v128() };
  for (const half of HALVES) {
    v128.const("i64x2", [0n, 0n]);
    local.set(sums[half]);
  }
  turns(() => vectors.addTo(term, sums));
  return sums;
}

/** Where the greatest term over k stands first, in each lane. */
export function argmaxInLanes(
  locals: Locals,
  vectors: VectorEmitter,
  { term, k, turns }: { term: Node; k: Local<"i32">; turns: Turns },
): LaneIndices {
  const indices = locals.v128();
  const best = { low: locals.v128(), high: locals.v128() };
  const mask = { low: locals.v128(), high: locals.v128() };
  v128.const("i32x4", [0, 0, 0, 0]);
  local.set(indices);
  for (const half of HALVES) {
    i64.const(I64.lo);
    i64x2.splat();
    local.set(best[half]);
  }
  turns(() => {
    const terms = vectors.wide(term);
    for (const half of HALVES) {
      local.set(mask[half], i64x2.gt_s(terms[half], best[half]));
      local.set(best[half], v128.bitselect(terms[half], best[half], mask[half]));
    }
    i32x4.splat(k);
    local.get(indices);
    vectors.pushWords(mask, LOW_WORDS);
    v128.bitselect();
    local.set(indices);
  });
  return indices;
}
