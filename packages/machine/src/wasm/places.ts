import { BYTES, type Size, size, sizeAt } from "../program.ts";
import type { FoldCode } from "./sites.ts";

/** Where the elements of a fold lie. Strides in bytes; `ring` is the number of steps that are kept, or 0 for all. */
export type Place = {
  base: number;
  /** Addressed by the step, by the row's slot in the block that is being computed, or by the lane of rows that share it in turn. */
  by: "step" | "slot" | "lane";
  ring: number;
  stepStride: number;
  rowStride: number;
  colStride: number;
  /** Address of one byte a step that says whether it was computed; 0 where nobody asks. */
  presence: number;
};

export type Shape = { bytes: number; stepStride: number; rowStride: number; colStride: number };

/** Layout of `steps` steps in a job of T steps. Columns of a history are as wide as the longest one, `history`. */
export function shapeOf(
  { decl, order, rowsApart }: FoldCode,
  at: { steps: number; T: number; history: number },
): Shape {
  const bytes = BYTES[decl.type];
  const extent = (encoded: Size) => (size.kind(encoded) === 2 ? at.history : sizeAt(encoded, { t: 0, T: at.T }));
  const [rows, cols] = [extent(decl.rows), extent(decl.cols)];
  if (order === 1)
    return {
      bytes: rows * cols * at.steps * bytes,
      stepStride: bytes,
      rowStride: cols * at.steps * bytes,
      colStride: at.steps * bytes,
    };
  const rowBytes = cols * bytes;
  const strides = rowsApart
    ? { stepStride: rowBytes, rowStride: rowBytes * at.steps }
    : { stepStride: rows * rowBytes, rowStride: rowBytes };
  return { bytes: rows * rowBytes * at.steps, ...strides, colStride: bytes };
}

/** One step, for a row's slot. */
export function slotShapeOf({ decl }: FoldCode, history: number): Shape {
  const bytes = BYTES[decl.type];
  const extent = (encoded: Size) => (size.kind(encoded) === 2 ? history : size.n(encoded));
  const rowStride = extent(decl.cols) * bytes;
  const total = Math.ceil((extent(decl.rows) * rowStride) / 64) * 64;
  return { bytes: total, stepStride: total, rowStride, colStride: bytes };
}

export const placeAt = (base: number, shape: Shape, more: Partial<Place> = {}): Place => ({
  base,
  by: more.by ?? "step",
  ring: more.ring ?? 0,
  stepStride: shape.stepStride,
  rowStride: shape.rowStride,
  colStride: shape.colStride,
  presence: more.presence ?? 0,
});

/** Address of a step's elements, of a place by steps. */
export const stepStart = ({ base, ring, stepStride }: Place, t: number): number =>
  base + (ring === 0 ? t : t % ring) * stepStride;

/** A step's elements in the arena. */
type Matrix = { address: number; place: Place; rows: number; cols: number };

/** Whether a step's elements lie in one piece, as the machine writes them. */
export const isDense = ({ decl }: FoldCode, { place, rows, cols }: Matrix): boolean =>
  place.colStride === BYTES[decl.type] && (rows === 1 || place.rowStride === cols * place.colStride);

/** Copies the elements of one step as the machine writes them, row by row; returns the number of bytes. */
export function copyMatrix(
  memory: Uint8Array,
  { decl }: FoldCode,
  from: Matrix,
  into: { out: Uint8Array; at: number },
): number {
  const { address, place, rows, cols } = from;
  const bytes = BYTES[decl.type];
  let at = into.at;
  for (let r = 0; r < rows; r++) {
    const row = address + r * place.rowStride;
    if (place.colStride === bytes) into.out.set(memory.subarray(row, row + cols * bytes), at);
    else
      for (let c = 0; c < cols; c++) {
        const element = row + c * place.colStride;
        for (let byte = 0; byte < bytes; byte++) into.out[at + c * bytes + byte] = memory[element + byte] as number;
      }
    at += cols * bytes;
  }
  return at - into.at;
}
