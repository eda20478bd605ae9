import { MachineError } from "./errors.ts";
import { type Arithmetic, OPS, type Op, opOfCode } from "./ops.ts";

export type Variable = "t" | "r" | "c" | "k" | "T" | "acc";

/**
 * One value of an expression. `pick` is resolved: a value that is used twice is one object with two parents, so an
 * expression is a graph without cycles. Walk `nodes` of `DecodedExpression` in order rather than the arguments from the
 * root, or shared values are visited once for each path to them.
 */
export type Expression =
  | { readonly op: "literal"; readonly args: readonly []; readonly value: bigint }
  | { readonly op: Variable; readonly args: readonly [] }
  /** (row, col) of a tensor, by its number over requests, claimed tensors and constants. */
  | { readonly op: "tensor"; readonly args: readonly Expression[]; readonly tensor: number }
  /** (step, row, col) of a fold of an earlier stage. */
  | { readonly op: "fold"; readonly args: readonly Expression[]; readonly stage: number; readonly fold: number }
  /** (row, col) of a fold of the same loop, at this step (`now`) or one before (`prev`). */
  | { readonly op: "now" | "prev"; readonly args: readonly Expression[]; readonly fold: number }
  | { readonly op: Arithmetic; readonly args: readonly Expression[] };

export type Load = Extract<Expression, { op: "tensor" | "fold" | "now" | "prev" }>;

export const isLoad = (node: Expression): node is Load =>
  node.op === "tensor" || node.op === "fold" || node.op === "now" || node.op === "prev";

export type DecodedExpression = {
  /** Every value in the order of its computation: arguments before what uses them; values that are dropped included. */
  nodes: readonly Expression[];
  root: Expression;
  loads: readonly Load[];
  /** How often a value was copied by `pick`. */
  picks: number;
};

/** The most entries an expression may hold on its stack, at any moment and at its end. */
export const MAX_STACK = 32;
const VARIABLES: ReadonlySet<Op> = new Set<Op>(["t", "r", "c", "k", "T", "acc"]);

/** Where an expression stands: decides which variables and loads are allowed, and names the place in an error. */
export type ExpressionPlace = { part: "body" | "finish"; loop: boolean; stage?: number; fold?: number };

/**
 * Decodes postfix byte code and checks every rule that needs the bytes alone: known operations, immediates inside the
 * expression, operands present, 1 to 32 entries, `pick` below the depth, `k`, `acc`, `now` and `prev` in their places.
 * @throws `machine.malformed` with `rule: 2`, the byte's offset, stage and fold
 */
export function decodeExpression(code: Uint8Array, place: ExpressionPlace): DecodedExpression {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const nodes: Expression[] = [];
  const loads: Load[] = [];
  const stack: Expression[] = [];
  let picks = 0;
  let at = 0;

  while (at < code.length) {
    const offset = at;
    const fail = (reason: string) => malformedExpression(place, offset, reason);
    const op = opOfCode(view.getUint8(at));
    if (op === undefined) throw fail(`0x${view.getUint8(at).toString(16).padStart(2, "0")} is no operation`);
    const { operands, immediates } = OPS[op];
    const immediate = at + 1;
    at = immediate + immediates.reduce((sum: number, bytes: number) => sum + bytes, 0);
    if (at > code.length) throw fail(`the immediate of ${op} ends outside the expression`);
    if (stack.length < operands) throw fail(`${op} takes ${operands} operands, the stack holds ${stack.length}`);

    if (op === "pick") {
      const depth = view.getUint8(immediate);
      const copied = stack[stack.length - 1 - depth];
      if (copied === undefined) throw fail(`pick ${depth} reaches below a stack of ${stack.length}`);
      picks++;
      stack.push(copied);
    } else {
      if (op === "k" && place.part !== "body") throw fail("k is allowed in a body only");
      if (op === "acc" && place.part !== "finish") throw fail("acc is allowed in a finish only");
      if ((op === "now" || op === "prev") && !place.loop) throw fail(`${op} is allowed in a loop only`);
      const args = operands === 0 ? [] : stack.splice(stack.length - operands);
      const node = nodeOf(op, args, view, immediate);
      nodes.push(node);
      if (isLoad(node)) loads.push(node);
      stack.push(node);
    }
    if (stack.length > MAX_STACK) throw fail(`the stack holds more than ${MAX_STACK} entries`);
  }

  const root = stack.at(-1);
  if (root === undefined) throw malformedExpression(place, at, "the expression leaves no value");
  return { nodes, root, loads, picks };
}

function nodeOf(op: Exclude<Op, "pick">, args: Expression[], view: DataView, immediate: number): Expression {
  switch (op) {
    case "lit8":
      return { op: "literal", args: [], value: BigInt(view.getInt8(immediate)) };
    case "lit32":
      return { op: "literal", args: [], value: BigInt(view.getInt32(immediate, true)) };
    case "lit64":
      return { op: "literal", args: [], value: view.getBigInt64(immediate, true) };
    case "tensor":
      return { op, args, tensor: view.getUint16(immediate, true) };
    case "fold":
      return { op, args, stage: view.getUint16(immediate, true), fold: view.getUint8(immediate + 2) };
    case "now":
    case "prev":
      return { op, args, fold: view.getUint8(immediate) };
    default:
      return isVariable(op) ? { op, args: [] } : { op, args };
  }
}

const isVariable = (op: Op): op is Variable => VARIABLES.has(op);

function malformedExpression(place: ExpressionPlace, offset: number, reason: string): MachineError {
  const { stage, fold, part } = place;
  const where = stage === undefined ? "" : `Stage ${stage}, fold ${fold}: `;
  return new MachineError("machine.malformed", `${where}${part} at byte ${offset}: ${reason}.`, {
    ...(stage === undefined ? {} : { stage, fold }),
    rule: 2,
    part,
    offset,
    reason,
  });
}
