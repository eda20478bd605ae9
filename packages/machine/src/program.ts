/**
 * A program as data. Bytes and meaning: `docs/fold-machine.md`. Everything here is a well-formed program once it has
 * come through `decodeProgram` or the builder; sizes stay in their encoded form, so that no fact is held twice.
 */

/** Element types in the order of their codes 0..3: two's complement, little-endian, 1, 2, 4 or 8 bytes. */
export const ELEMENT_TYPES = ["i8", "i16", "i32", "i64"] as const;
export type ElementType = (typeof ELEMENT_TYPES)[number];
export const BYTES: Record<ElementType, 1 | 2 | 4 | 8> = { i8: 1, i16: 2, i32: 4, i64: 8 };

/** A size as a u32: kind in the top 2 bits, n in the low 30. Kind 0 is n, kind 1 is ceil(T / n), kind 2 is t + 1. */
export type Size = number;
export const size = {
  /** n whatever T is. */
  fixed: (n: number): Size => n,
  /** ceil(T / n); `size.steps(1)` is T. */
  steps: (n = 1): Size => ((1 << 30) | n) >>> 0,
  /** t + 1, the steps so far. */
  history: (2 << 30) >>> 0,
  kind: (encoded: Size): 0 | 1 | 2 | 3 => (encoded >>> 30) as 0 | 1 | 2 | 3,
  n: (encoded: Size): number => encoded & 0x3fff_ffff,
} as const;

/** What a size is worth at step t of a job of T steps. */
export function sizeAt(encoded: Size, at: { t: number; T: number }): number {
  switch (size.kind(encoded)) {
    case 0:
      return size.n(encoded);
    case 1:
      return Math.ceil(at.T / size.n(encoded));
    default:
      return at.t + 1;
  }
}

export type TensorDecl = { type: ElementType; rows: Size; cols: Size };

export const COMBINES = ["none", "sum", "argmax"] as const;
export type Combine = (typeof COMBINES)[number];

/** One fold. `body` and `finish` are postfix byte code (see ops.ts); an empty finish passes the value through. */
export type Fold = {
  type: ElementType;
  rows: Size;
  cols: Size;
  combine: Combine;
  /** 0 when `combine` is none. */
  axis: Size;
  body: Uint8Array;
  finish: Uint8Array;
};

/**
 * Order 0: one fold, a step's matrices one after the other, `[t][r][c]`. Order 1: one fold, time innermost, `[r][c][t]`.
 * Order 2: a loop of 1 to 16 folds that may read each other (`now`, `prev`); one tensor for each step and fold.
 */
export type Stage = { order: 0 | 1 | 2; steps: Size; folds: Fold[] };

export type Program = {
  /** The largest T a job may have. */
  maxT: number;
  requests: TensorDecl[];
  claimed: TensorDecl[];
  constants: TensorDecl[];
  stages: Stage[];
};

/** Tensors have one numbering: requests, then claimed, then constants. */
export const tensorsOf = (program: Program): TensorDecl[] => [
  ...program.requests,
  ...program.claimed,
  ...program.constants,
];

/** A tensor by its number, without making the whole list. */
export function tensorAt({ requests, claimed, constants }: Program, tensor: number): TensorDecl | undefined {
  if (tensor < requests.length) return requests[tensor];
  return claimed[tensor - requests.length] ?? constants[tensor - requests.length - claimed.length];
}
