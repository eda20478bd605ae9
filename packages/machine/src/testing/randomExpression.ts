import { type Expr, operation, type Value } from "../builder/expr.ts";
import { type Arithmetic, OPS } from "../ops.ts";
import type { Choices } from "./choices.ts";

/** Literals at the ends of types and shift counts, and small ones. */
const LITERALS: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  -1n,
  -2n,
  31n,
  32n,
  63n,
  64n,
  127n,
  -128n,
  255n,
  32_767n,
  -32_768n,
  65_535n,
  2n ** 31n - 1n,
  -(2n ** 31n),
  2n ** 32n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const ARITHMETIC: readonly Arithmetic[] = [
  "add",
  "sub",
  "mul",
  "mulshr",
  "shl",
  "shr",
  "and",
  "or",
  "xor",
  "min",
  "max",
  "eq",
  "lt",
  "select",
  "udiv",
  "isqrt",
  "bitlen",
  "philox",
];
const COMMON: readonly Arithmetic[] = ["add", "sub", "mul", "shr", "min", "max", "mulshr", "and", "select"];

export type Scope = {
  variables: readonly Expr[];
  /** Makes a load from two random indices, or nothing where there is nothing to load. */
  load: (index: () => Value) => Expr | undefined;
};

/** A random expression of at most some twenty values, some of them used twice. */
export function randomExpression(choices: Choices, scope: Scope): Value {
  const shareable: Expr[] = [];
  let shared = 0;
  let budget = choices.integer(1, 20);
  let loads = 5;

  const leaf = (): Value => {
    if (choices.chance(50)) return choices.pick(scope.variables);
    return choices.chance(60) ? choices.integer(-4, 9) : choices.pick(LITERALS);
  };
  const index = (): Value => {
    if (choices.chance(5) && budget > 2) return value();
    const variable = choices.pick(scope.variables);
    if (choices.chance(60)) return choices.chance(30) ? choices.integer(-1, 4) : variable;
    if (choices.chance(70)) return operation("add", variable, choices.integer(-3, 3));
    return operation(choices.pick(["mul", "udiv", "and", "xor", "sub"] as const), variable, choices.integer(-1, 4));
  };
  const value = (): Value => {
    if (--budget < 0) return leaf();
    const reused = shareable.length > 0 && shared < 6 && choices.chance(15) ? choices.pick(shareable) : undefined;
    if (reused) {
      shared++;
      return reused;
    }
    if (loads > 0 && choices.chance(40)) {
      loads--;
      const loaded = scope.load(index);
      if (loaded) return remember(loaded);
    }
    if (choices.chance(15)) return leaf();
    const op = choices.chance(60) ? choices.pick(COMMON) : choices.pick(ARITHMETIC);
    return remember(operation(op, ...Array.from({ length: OPS[op].operands }, value)));
  };
  const remember = (node: Expr): Expr => {
    if (shareable.length < 6) shareable.push(node);
    return node;
  };
  return value();
}
