import { LEAF_BYTES } from "../commitments/tensor.ts";
import { readElement } from "../elements.ts";
import { BYTES, type Program, sizeAt, tensorAt } from "../program.ts";
import type { Operands } from "../reference/element.ts";
import { foldAt, placeOfElement } from "../trace/layout.ts";
import type { FoldTensor } from "../trace/trace.ts";

/** Leaves of one tensor that were read. `tensor` is its number; undefined for a fold's. */
export type ReadTensor = { tensor: number | undefined; of: FoldTensor; leaves: Set<number> };

export type LeafSource = {
  T: number;
  tensor(tensor: number): Uint8Array;
  leaf(of: FoldTensor, index: number): Uint8Array;
};

/** Operands that note every leaf that is read of them. */
export function recordingOperands(program: Program, source: LeafSource): { operands: Operands; read(): ReadTensor[] } {
  const tensors = new Map<number, ReadTensor & { bytes: Uint8Array; leaves: Set<number> }>();
  const folds = new Map<string, ReadTensor & { kept: Map<number, Uint8Array> }>();

  const tensorOf = (tensor: number) => {
    const known = tensors.get(tensor) ?? { tensor, of: NO_FOLD, leaves: new Set(), bytes: source.tensor(tensor) };
    tensors.set(tensor, known);
    return known;
  };
  const foldOf = (of: FoldTensor) => {
    const key = `${of.stage} ${of.t} ${of.fold}`;
    const known = folds.get(key) ?? { tensor: undefined, of, leaves: new Set(), kept: new Map() };
    folds.set(key, known);
    return known;
  };
  const operands: Operands = {
    tensor(tensor, row, col) {
      const decl = tensorAt(program, tensor);
      if (!decl) throw new RangeError(`There is no tensor ${tensor}.`);
      const { bytes, leaves } = tensorOf(tensor);
      const number = row * sizeAt(decl.cols, { t: 0, T: source.T }) + col;
      leaves.add(Math.floor((number * BYTES[decl.type]) / LEAF_BYTES));
      return readElement(decl.type, bytes, number);
    },
    fold(at) {
      const { type } = foldAt(program, at.stage, at.fold);
      const { of, leaf, byte } = placeOfElement(program, at, source.T);
      const { leaves, kept } = foldOf(of);
      const bytes = kept.get(leaf) ?? source.leaf(of, leaf);
      kept.set(leaf, bytes);
      leaves.add(leaf);
      return readElement(type, bytes, (byte % LEAF_BYTES) / BYTES[type]);
    },
  };
  return { operands, read: () => [...tensors.values(), ...folds.values()] };
}

const NO_FOLD: FoldTensor = { stage: 0, fold: 0, t: 0 };

/** Sorted numbers as runs of adjacent ones. */
export function runsOf(numbers: Iterable<number>): { first: number; length: number }[] {
  const runs: { first: number; length: number }[] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last.first + last.length === number) last.length++;
    else runs.push({ first: number, length: 1 });
  }
  return runs;
}
