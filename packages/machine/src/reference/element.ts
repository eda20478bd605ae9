import { saturate } from "../elements.ts";
import type { DecodedExpression, Expression, Variable } from "../expression.ts";
import { type Fold, type Program, sizeAt, tensorAt } from "../program.ts";
import { expressionsOf, type FoldExpressions } from "../validate/wellFormed.ts";
import { arithmetic } from "./arithmetic.ts";

/** Gives the operands of an element. All indices are clamped into range already. */
export type Operands = {
  /** Tensors by their number over requests, claimed tensors and constants. */
  tensor(tensor: number, row: number, col: number): bigint;
  /** Folds of earlier stages, and of the element's own loop (at its own step or one before). */
  fold(at: ElementAddress): bigint;
};

export type ElementAddress = { stage: number; fold: number; t: number; r: number; c: number };

/**
 * Computes one element of a job from its operands: `finish(combine over k of body)`, saturated into the fold's type.
 * The definition of what a program means; it needs no more of a job than the elements that the fold loads.
 */
export function element(program: Program, at: ElementAddress, job: { T: number; operands: Operands }): bigint {
  const fold = program.stages[at.stage]?.folds[at.fold];
  if (!fold) throw new RangeError(`There is no fold ${at.fold} in stage ${at.stage}.`);
  const { body, finish } = decoded(program, at, fold);
  const variables = { t: BigInt(at.t), r: BigInt(at.r), c: BigInt(at.c), k: 0n, T: BigInt(job.T), acc: 0n };
  const load = loader(program, at, job);
  const term = (k: number) => evaluate(body, { ...variables, k: BigInt(k) }, load);

  const terms = fold.combine === "none" ? 1 : sizeAt(fold.axis, { t: at.t, T: job.T });
  let acc = term(0);
  let best = 0;
  for (let k = 1; k < terms; k++) {
    const value = term(k);
    if (fold.combine === "sum") acc = arithmetic.add(acc, value);
    else if (value > acc) {
      acc = value;
      best = k;
    }
  }
  if (fold.combine === "argmax") return BigInt(best);
  return saturate(fold.type, finish ? evaluate(finish, { ...variables, acc }, load) : acc);
}

/** The body of a fold at one k: of an argmax, what decides between two indices. */
export function bodyAt(
  program: Program,
  at: ElementAddress & { k: number },
  job: { T: number; operands: Operands },
): bigint {
  const fold = program.stages[at.stage]?.folds[at.fold];
  if (!fold) throw new RangeError(`There is no fold ${at.fold} in stage ${at.stage}.`);
  const { t, r, c, k } = at;
  const variables = { t: BigInt(t), r: BigInt(r), c: BigInt(c), k: BigInt(k), T: BigInt(job.T), acc: 0n };
  return evaluate(decoded(program, at, fold).body, variables, loader(program, at, job));
}

type LoadNode = Extract<Expression, { op: "tensor" | "fold" | "now" | "prev" }>;
type LoadValue = (node: LoadNode, index: readonly bigint[]) => bigint;

function evaluate(code: DecodedExpression, variables: Record<Variable, bigint>, load: LoadValue): bigint {
  const values = new Map<Expression, bigint>();
  const known = (node: Expression | undefined) => (node && values.get(node)) ?? 0n;
  for (const node of code.nodes) {
    switch (node.op) {
      case "literal":
        values.set(node, node.value);
        break;
      case "t":
      case "r":
      case "c":
      case "k":
      case "T":
      case "acc":
        values.set(node, variables[node.op]);
        break;
      case "tensor":
      case "fold":
      case "now":
      case "prev":
        values.set(node, load(node, node.args.map(known)));
        break;
      default: {
        const [a, b, c] = node.args;
        values.set(node, arithmetic[node.op](known(a), known(b), known(c)));
      }
    }
  }
  return known(code.root);
}

/** Clamps every index into the operand's own range at its own step. */
function loader(program: Program, at: ElementAddress, { T, operands }: { T: number; operands: Operands }): LoadValue {
  const ofFold = (address: { stage: number; fold: number; t: number }, row: bigint, col: bigint) => {
    const fold = program.stages[address.stage]?.folds[address.fold];
    if (!fold) throw new RangeError(`There is no fold ${address.fold} in stage ${address.stage}.`);
    const when = { t: address.t, T };
    return operands.fold({
      ...address,
      r: clampIndex(row, sizeAt(fold.rows, when)),
      c: clampIndex(col, sizeAt(fold.cols, when)),
    });
  };
  return (node, [x = 0n, y = 0n, z = 0n]) => {
    switch (node.op) {
      case "tensor": {
        const tensor = tensorAt(program, node.tensor);
        if (!tensor) throw new RangeError(`There is no tensor ${node.tensor}.`);
        const when = { t: 0, T };
        return operands.tensor(
          node.tensor,
          clampIndex(x, sizeAt(tensor.rows, when)),
          clampIndex(y, sizeAt(tensor.cols, when)),
        );
      }
      case "fold": {
        const steps = sizeAt(program.stages[node.stage]?.steps ?? 1, { t: 0, T });
        return ofFold({ stage: node.stage, fold: node.fold, t: clampIndex(x, steps) }, y, z);
      }
      case "now":
        return ofFold({ stage: at.stage, fold: node.fold, t: at.t }, x, y);
      default:
        return at.t === 0 ? 0n : ofFold({ stage: at.stage, fold: node.fold, t: at.t - 1 }, x, y);
    }
  };
}

const clampIndex = (index: bigint, count: number): number =>
  index < 0n ? 0 : index >= BigInt(count) ? count - 1 : Number(index);

const cache = new WeakMap<Fold, FoldExpressions>();
function decoded(program: Program, at: { stage: number; fold: number }, fold: Fold): FoldExpressions {
  const known = cache.get(fold);
  if (known) return known;
  const expressions = expressionsOf(program, at.stage, at.fold);
  cache.set(fold, expressions);
  return expressions;
}
