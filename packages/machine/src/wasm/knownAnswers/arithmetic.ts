import { arithmetic } from "../../reference/arithmetic.ts";
import { mulShift, philox, roundShift, squareRoot, unsignedDivide } from "../arithmetic.ts";
import { instantiate } from "../asm.ts";
import { type Bench, type KnownAnswer, mismatch } from "./knownAnswer.ts";

const EDGES = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  63n,
  64n,
  0x7fff_ffffn,
  -0x8000_0000n,
  0x1_0000_0001n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  -(2n ** 63n) + 1n,
  0x1234_5678_9abc_def0n,
];

const COUNTS = [-1n, 0n, 1n, 31n, 33n, 63n, 64n];

/** Operations that are functions of their own, with the operands that try their edges. */
const OPERATIONS = {
  mulshr: { code: mulShift, operands: [EDGES, EDGES, COUNTS] },
  shr: { code: roundShift, operands: [EDGES, COUNTS] },
  isqrt: { code: squareRoot, operands: [EDGES] },
  udiv: { code: unsignedDivide, operands: [EDGES, EDGES] },
  philox: { code: philox, operands: [EDGES, [3n], [-5n]] },
} as const;

export function arithmeticAnswers({ arena }: Bench): KnownAnswer[] {
  const codes = Object.entries(OPERATIONS).map(([op, { code }]) => [op, code] as const);
  const compiled = instantiate(arena.memory, Object.fromEntries(codes));
  return Object.entries(OPERATIONS).map(([op, { operands }]): KnownAnswer => {
    const expected: (...args: bigint[]) => bigint = arithmetic[op as keyof typeof OPERATIONS];
    const known = tuples(operands).map((args) => ({ args, result: expected(...args) }));
    return {
      family: "arithmetic",
      check() {
        for (const { args, result } of known) {
          const actual: unknown = Reflect.apply(compiled[op] as () => number, undefined, args);
          if (actual !== result) throw mismatch(op, { args: args.map(String), actual: String(actual) });
        }
      },
    };
  });
}

const tuples = (lists: readonly (readonly bigint[])[]): bigint[][] =>
  lists.reduce<bigint[][]>((all, list) => all.flatMap((tuple) => list.map((value) => [...tuple, value])), [[]]);
