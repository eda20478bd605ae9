import { describe, expect, it } from "vitest";
import {
  add,
  and,
  bitlen,
  ELEMENT_TYPES,
  type ElementType,
  type Expr,
  elementBytes,
  eq,
  isqrt,
  lt,
  max,
  min,
  mul,
  mulshr,
  or,
  philox,
  programBuilder,
  readElement,
  saturate,
  select,
  shl,
  shr,
  sub,
  udiv,
  type Value,
  xor,
} from "../../src/index.ts";
import type { Arithmetic } from "../../src/ops.ts";
import { arithmetic } from "../../src/reference/arithmetic.ts";
import { openWasmWith } from "../../src/wasm/index.ts";

const MOST = 2n ** 63n - 1n;
const LEAST = -(2n ** 63n);
const EDGES = [
  0n,
  1n,
  -1n,
  2n,
  -2n,
  3n,
  31n,
  32n,
  33n,
  62n,
  63n,
  64n,
  127n,
  128n,
  -128n,
  -129n,
  32_767n,
  32_768n,
  -32_768n,
  -32_769n,
  2n ** 31n - 1n,
  2n ** 31n,
  -(2n ** 31n),
  -(2n ** 31n) - 1n,
  2n ** 32n - 1n,
  2n ** 32n,
  (2n ** 32n - 1n) ** 2n - 2n ** 64n,
  0x1234_5678_9abc_def0n,
  MOST,
  MOST - 1n,
  LEAST,
  LEAST + 1n,
];
const COUNTS = [LEAST, -1n, 0n, 1n, 2n, 31n, 32n, 33n, 62n, 63n, 64n, MOST];

const OPERATIONS: Record<Arithmetic, (a: Value, b: Value, s: Value) => Expr> = {
  add: (a, b) => add(a, b),
  sub,
  mul,
  mulshr,
  shl,
  shr,
  and: (a, b) => and(a, b),
  or: (a, b) => or(a, b),
  xor,
  min,
  max,
  eq,
  lt,
  select,
  udiv,
  philox,
  isqrt: (a) => isqrt(a),
  bitlen: (a) => bitlen(a),
};
/** Operations whose second operand is a count. */
const SHIFTS: ReadonlySet<string> = new Set(["shl", "shr"]);

/** Every operation on every pair (or triple) of edges, in rows and columns of one fold, against the reference's own. */
async function compare(
  type: ElementType,
  write: (op: Arithmetic, at: { a: Expr; b: Expr; s: Expr }) => Expr,
  expected: (op: Arithmetic, a: bigint, b: bigint, s: bigint) => bigint,
) {
  const p = programBuilder({ maxT: COUNTS.length });
  const edges = p.request({ type: "i64", rows: 1, cols: EDGES.length });
  const counts = p.request({ type: "i64", rows: 1, cols: COUNTS.length });
  const ops = Object.keys(OPERATIONS) as Arithmetic[];
  const folds = ops.map((op) =>
    p.fold({ type, rows: EDGES.length, cols: EDGES.length }, ({ t, r, c }) =>
      write(op, { a: edges.at(0, r), b: edges.at(0, c), s: counts.at(0, t) }),
    ),
  );
  p.fold({ type: "i8" }, () => 1);
  const engine = await openWasmWith(p.build(), () => new Uint8Array(), {});
  const request = [elementBytes("i64", EDGES), elementBytes("i64", COUNTS)];
  const want = folds.map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
  const results = engine.run({ T: COUNTS.length, request, claimed: [], want });
  for (const [i, op] of ops.entries()) {
    let e = 0;
    for (const s of COUNTS)
      for (const a of EDGES)
        for (const b of EDGES) {
          const [actual, wanted] = [
            readElement(type, results[i] as Uint8Array, e++),
            saturate(type, expected(op, a, b, s)),
          ];
          if (actual !== wanted) expect.fail(`${op}(${a}, ${b}, ${s}) as ${type}: ${actual}, not ${wanted}`);
        }
  }
}

describe("every operation at its boundaries", () => {
  it.each(ELEMENT_TYPES)("is exact and saturates into %s", async (type) => {
    await compare(
      type,
      (op, { a, b, s }) => OPERATIONS[op](a, SHIFTS.has(op) ? s : b, s),
      (op, a, b, s) => arithmetic[op](a, SHIFTS.has(op) ? s : b, s),
    );
  });

  it("is exact with the operands the other way round, and where the first changes from column to column", async () => {
    await compare(
      "i64",
      (op, { a, b, s }) => OPERATIONS[op](b, SHIFTS.has(op) ? s : a, s),
      (op, a, b, s) => arithmetic[op](b, SHIFTS.has(op) ? s : a, s),
    );
  });

  it("is exact where the count changes from column to column", async () => {
    await compare(
      "i64",
      (op, { a, b, s }) => (SHIFTS.has(op) ? OPERATIONS[op](a, b, b) : OPERATIONS[op](a, s, b)),
      (op, a, b, s) => (SHIFTS.has(op) ? arithmetic[op](a, b, b) : arithmetic[op](a, s, b)),
    );
  });

  it.each([0, 1, 2, 15, 31, 32, 33, 62, 63])(
    "is exact for a count of %i that is written in the program",
    async (bits) => {
      const shifted: ReadonlySet<string> = new Set(["shl", "shr", "mulshr"]);
      const count = BigInt(bits);
      await compare(
        "i64",
        (op, { a, b }) =>
          op === "mulshr" ? mulshr(a, b, bits) : shifted.has(op) ? OPERATIONS[op](b, bits, 0) : and(a, b),
        (op, a, b) =>
          op === "mulshr" ? arithmetic.mulshr(a, b, count) : shifted.has(op) ? arithmetic[op](b, count, 0n) : a & b,
      );
    },
  );
});
