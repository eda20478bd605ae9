import type { Size } from "../program.ts";
import type { CompiledFold } from "./compile.ts";
import type { Folds } from "./folds.ts";
import type { Slot } from "./graph.ts";

/** What a slot of a frame is filled with before a fold is computed. */
export const FILL = {
  step: 0,
  length: 1,
  size: 2,
  out: 3,
  outRowStride: 4,
  outColStride: 5,
  sums: 6,
  tensorBase: 7,
  tensorRowStride: 8,
  currentBase: 9,
  previousBase: 10,
  base: 11,
  stepStride: 12,
  rowStride: 13,
  colStride: 14,
  presence: 15,
} as const;

/** A slot with everything looked up that is the same for every step. */
export type Fill = {
  /** Index of the slot among the 32-bit words of memory. */
  word: number;
  what: number;
  /** Number of the fold or tensor that it is about, 0 where it is about neither. */
  of: number;
  size: Size;
};

export function fillsOf(folds: Folds, { code, dynamic, frame }: CompiledFold): Fill[] {
  return dynamic.map(({ slot, word }) => ({ word: (frame >>> 2) + word, ...meaning(folds, code.sites, slot) }));
}

function meaning(folds: Folds, sites: CompiledFold["code"]["sites"], slot: Slot): Omit<Fill, "word"> {
  const fill = (what: number, of = 0, size: Size = 0) => ({ what, of, size });
  switch (slot.kind) {
    case "t":
      return fill(FILL.step);
    case "T":
      return fill(FILL.length);
    case "size":
      return fill(FILL.size, 0, slot.size);
    case "out":
    case "outRowStride":
    case "outColStride":
    case "sums":
      return fill(FILL[slot.kind]);
    case "literal":
      throw new Error("literals are written once");
    default: {
      const site = sites[slot.site];
      if (site === undefined) throw new RangeError(`no site ${slot.site}`);
      if (site.via === "tensor")
        return fill(slot.kind === "base" ? FILL.tensorBase : FILL.tensorRowStride, site.tensor);
      const target = folds.target(site) as number;
      if (slot.kind !== "base") return fill(FILL[slot.kind], target);
      if (site.via === "prev") return fill(FILL.previousBase, target);
      return fill(site.current ? FILL.currentBase : FILL.base, target);
    }
  }
}
