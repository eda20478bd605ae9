import {
  BYTES,
  type ElementAt,
  elementBytes,
  type Program,
  placeOfElement,
  RANGE,
  readElement,
  sizeAt,
  type Target,
  type Trace,
} from "@foldmark/machine";
import { forge } from "@foldmark/machine/testing";

const LEAF_BYTES = 1_024;

export function foldOf(program: Program, { stage, fold }: { stage: number; fold: number }) {
  const decl = program.stages[stage]?.folds[fold];
  if (!decl) throw new RangeError(`There is no fold ${fold} in stage ${stage}.`);
  return decl;
}

export function valueAt(program: Program, trace: Trace, at: ElementAt): bigint {
  const { type } = foldOf(program, at);
  const { of, byte, leaf } = placeOfElement(program, at, trace.T);
  return readElement(type, trace.leaf(of, leaf), (byte % LEAF_BYTES) / BYTES[type]);
}

/** An index of an argmax far from the true one, so that the two terms lie in different leaves. */
export function otherIndex(program: Program, at: ElementAt, { truth, T }: { truth: bigint; T: number }): number {
  const terms = sizeAt(foldOf(program, at).axis, { t: at.t, T });
  return (Number(truth) + Math.floor(terms / 2)) % terms;
}

/** The trace of a liar who changes one element and nothing else, and the target that shows it. */
export function lieAt(program: Program, honest: Trace, at: ElementAt): { trace: Trace; target: Target } {
  const { type, combine } = foldOf(program, at);
  const truth = valueAt(program, honest, at);
  const isArgmax = combine === "argmax";
  const value = isArgmax
    ? BigInt(otherIndex(program, at, { truth, T: honest.T }))
    : truth === RANGE[type].hi
      ? truth - 1n
      : truth + 1n;
  const { of, byte, leaf } = placeOfElement(program, at, honest.T);
  const bytes = honest.leaf(of, leaf).slice();
  bytes.set(elementBytes(type, [value]), byte % LEAF_BYTES);
  const trace = forge(honest, { program, changes: [{ of, index: leaf, bytes }] });
  return { trace, target: { ...at, j: isArgmax ? Number(truth) : 0 } };
}
