import { elementBytes, RANGE } from "../elements.ts";
import type { ElementType } from "../program.ts";
import type { Choices } from "./choices.ts";

/** A tensor's bytes: all alike (0, the type's least or greatest value), small values, or any bits. */
export function randomBytes(choices: Choices, type: ElementType, elements: number): Uint8Array {
  const { lo, hi } = RANGE[type];
  const kind = choices.pick(["small", "any", "zero", "least", "greatest"] as const);
  const same = { zero: 0n, least: lo, greatest: hi };
  if (kind === "zero" || kind === "least" || kind === "greatest")
    return elementBytes(
      type,
      Array.from({ length: elements }, () => same[kind]),
    );
  // one draw seeds all elements: a large tensor must not make a case slow to shrink
  let state = BigInt(choices.integer(1, 2 ** 31 - 1));
  const next = () => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return state >> 8n;
  };
  const values = Array.from({ length: elements }, () =>
    kind === "small" ? (next() % 17n) - 8n : lo + (next() % (hi - lo + 1n)),
  );
  return elementBytes(type, values);
}
