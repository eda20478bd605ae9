/**
 * The operations of an expression, one row each: its byte, how many operands it takes from the stack, and the bytes of
 * the immediates that follow it. Every backend is a total map over this table.
 */
export const OPS = {
  lit8: { code: 0x01, operands: 0, immediates: [1] },
  lit32: { code: 0x02, operands: 0, immediates: [4] },
  lit64: { code: 0x03, operands: 0, immediates: [8] },
  t: { code: 0x04, operands: 0, immediates: [] },
  r: { code: 0x05, operands: 0, immediates: [] },
  c: { code: 0x06, operands: 0, immediates: [] },
  k: { code: 0x07, operands: 0, immediates: [] },
  T: { code: 0x08, operands: 0, immediates: [] },
  acc: { code: 0x09, operands: 0, immediates: [] },
  /** Copies the n-th entry from the top of the stack, 0 = top. */
  pick: { code: 0x0a, operands: 0, immediates: [1] },
  /** Loads (row, col) of a request, claimed or constant tensor. */
  tensor: { code: 0x0b, operands: 2, immediates: [2] },
  /** Loads (step, row, col) of a fold of an earlier stage. */
  fold: { code: 0x0c, operands: 3, immediates: [2, 1] },
  /** Loads (row, col) of an earlier fold of the same loop at the same step. */
  now: { code: 0x0d, operands: 2, immediates: [1] },
  /** Loads (row, col) of a fold of the same loop one step before; 0 at step 0. */
  prev: { code: 0x0e, operands: 2, immediates: [1] },
  add: { code: 0x10, operands: 2, immediates: [] },
  sub: { code: 0x11, operands: 2, immediates: [] },
  mul: { code: 0x12, operands: 2, immediates: [] },
  mulshr: { code: 0x13, operands: 3, immediates: [] },
  shl: { code: 0x14, operands: 2, immediates: [] },
  shr: { code: 0x15, operands: 2, immediates: [] },
  and: { code: 0x16, operands: 2, immediates: [] },
  or: { code: 0x17, operands: 2, immediates: [] },
  xor: { code: 0x18, operands: 2, immediates: [] },
  min: { code: 0x19, operands: 2, immediates: [] },
  max: { code: 0x1a, operands: 2, immediates: [] },
  eq: { code: 0x1b, operands: 2, immediates: [] },
  lt: { code: 0x1c, operands: 2, immediates: [] },
  select: { code: 0x1d, operands: 3, immediates: [] },
  udiv: { code: 0x1e, operands: 2, immediates: [] },
  isqrt: { code: 0x1f, operands: 1, immediates: [] },
  bitlen: { code: 0x20, operands: 1, immediates: [] },
  philox: { code: 0x21, operands: 3, immediates: [] },
} as const satisfies Record<string, { code: number; operands: number; immediates: readonly number[] }>;

export type Op = keyof typeof OPS;
/** The operations that compute on operands alone: no immediate, no load, no variable. */
export type Arithmetic =
  | "add"
  | "sub"
  | "mul"
  | "mulshr"
  | "shl"
  | "shr"
  | "and"
  | "or"
  | "xor"
  | "min"
  | "max"
  | "eq"
  | "lt"
  | "select"
  | "udiv"
  | "isqrt"
  | "bitlen"
  | "philox";

const byCode = new Map<number, Op>(Object.entries(OPS).map(([name, { code }]) => [code, name as Op]));

/** The operation of a byte, or undefined for a byte that is none. */
export const opOfCode = (code: number): Op | undefined => byCode.get(code);
