import { tensorByteLength } from "../job.ts";
import { BYTES, type Program, size } from "../program.ts";
import type { Folds, SessionFolds } from "./folds.ts";
import { type Place, placeAt, type Shape, shapeOf } from "./places.ts";
import type { FoldCode } from "./sites.ts";

/** What a session is made of besides memory. */
export type SessionShape = { program: Program; folds: Folds; storage: SessionFolds; isGiven: boolean[] };

export type SessionLayout = {
  bytes: number;
  /** Places of kept folds, relative to the session's block. */
  folds: { fold: number; place: Place }[];
  /** Requests and claimed tensors by their number: where, and bytes between rows. Of claimed tensors columns follow. */
  tensors: { base: number; rowStride: number }[];
};

/** Where a session with room for `capacity` steps has what it keeps: all in one block. */
export function sessionLayout({ program, folds, storage, isGiven }: SessionShape, capacity: number): SessionLayout {
  let end = 64; // a presence at 0 would be none
  const take = (bytes: number) => {
    const at = end;
    end += Math.ceil((bytes + 16) / 64) * 64;
    return at;
  };
  const requests = program.requests.map((decl) => ({
    base: take(tensorByteLength(decl, 1)),
    rowStride: size.n(decl.cols) * BYTES[decl.type],
  }));
  const claimed = program.claimed.map(({ type }, index) => ({
    base: isGiven[index] ? take(capacity * BYTES[type]) : 0,
    rowStride: 0,
  }));
  const kept: SessionLayout["folds"] = [];
  for (const [fold, code] of folds.codes.entries()) {
    const how = storage.storage[fold];
    if (how?.kind === "whole") {
      const shape = wholeShape(code);
      kept.push({ fold, place: placeAt(take(shape.bytes), shape) });
    } else if (how?.kind === "kept" || how?.kind === "ring") {
      const ring = how.kind === "ring" ? how.steps : 0;
      const shape = shapeOf(code, { steps: ring === 0 ? capacity : ring, T: 1, history: capacity });
      const presence = storage.recorded[fold] ? take(capacity + 1) : 0;
      kept.push({ fold, place: placeAt(take(shape.bytes), shape, { ring, presence }) });
    }
  }
  return { bytes: end, folds: kept, tensors: [...requests, ...claimed] };
}

/** All steps of a stage that takes a constant number of them. */
export function wholeShape(code: FoldCode): Shape {
  const steps = size.n(code.steps);
  return shapeOf(code, { steps, T: 1, history: steps });
}

/** Steps to make room for, so that `steps` can be taken: the last stage may look at the one after them. */
export const capacityFor = (steps: number, { maxT }: Program): number => Math.min(Math.max(steps, 1) + 1, maxT);
