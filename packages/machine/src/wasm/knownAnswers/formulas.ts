import { type Arithmetic, OPS } from "../../ops.ts";
import type { ElementType } from "../../program.ts";

/** Numbers or nodes of a graph: a formula is written once and computed in both. */
export type Algebra<V> = {
  literal(value: bigint): V;
  apply(op: Arithmetic, args: V[]): V;
  /** An element of the first list of operands. */
  at(index: V): V;
};
/** Operands that change from iteration to iteration, and its number. */
export type Operands<V> = { a: V; b: V; c: V; k: V };
export type Formula = {
  what: string;
  /** What it is stored as; i64 where nothing is said. */
  type?: ElementType;
  write<V>(on: Algebra<V>, operands: Operands<V>): V;
};

/** An operation on the operands, and on literals in the place of the last ones. */
function operation(op: Arithmetic, ...literals: bigint[]): Formula {
  return {
    what: `${op} ${literals.join(" ")}`.trim(),
    write(on, { a, b, c }) {
      const operands = [a, b, c].slice(0, OPS[op].operands - literals.length);
      return on.apply(op, [...operands, ...literals.map((value) => on.literal(value))]);
    },
  };
}

const COUNTS = [1n, 15n, 31n, 32n, 33n, 63n];
const WORD = 2n ** 32n - 1n;

/** Every family of operations that vectors have, and saturation into every type. */
export const FORMULAS: Formula[] = [
  ...(["add", "sub", "mul", "and", "or", "xor", "min", "max", "eq", "lt", "udiv"] as const).map((op) => operation(op)),
  ...(["select", "isqrt", "bitlen", "philox"] as const).map((op) => operation(op)),
  ...COUNTS.flatMap((count) => [operation("shl", count), operation("shr", count), operation("mulshr", count)]),
  operation("udiv", 8n),
  operation("mul", 64n),
  // limbs of a factor from outside the loop
  operation("mulshr", 0x3f_ffff_ffffn, 43n),
  operation("mulshr", -0x1f_ffff_ffffn, 40n),
  ...(["i8", "i16", "i32"] as const).map((type): Formula => ({ what: `as ${type}`, type, write: (_, { a }) => a })),
  {
    what: "two lanes to a counter of philox",
    write(on, { k }) {
      const pair = on.apply("shr", [on.apply("and", [k, on.literal(-2n)]), on.literal(1n)]);
      return on.apply("philox", [on.literal(7n), pair, on.literal(-9n)]);
    },
  },
  { what: "bits of a word", write: (on, operands) => on.apply("bitlen", [wordOf(on, operands)]) },
  {
    what: "a word moved to a fixed place",
    write(on, operands) {
      const word = wordOf(on, operands);
      return on.apply("shl", [word, on.apply("sub", [on.literal(40n), on.apply("bitlen", [word])])]);
    },
  },
  {
    what: "neighbours of a table",
    write(on, { b }) {
      const index = on.apply("and", [b, on.literal(31n)]);
      return on.apply("sub", [on.at(index), on.at(on.apply("add", [index, on.literal(1n)]))]);
    },
  },
];

const wordOf = <V>(on: Algebra<V>, { a }: Operands<V>): V =>
  on.apply("add", [on.apply("and", [a, on.literal(WORD)]), on.literal(1n)]);
