import { MachineError } from "../errors.ts";
import {
  type Combine,
  type ElementType,
  type Fold,
  type Program,
  type Size,
  size,
  type TensorDecl,
} from "../program.ts";
import { assertWellFormed } from "../validate/wellFormed.ts";
import { assemble, type NumbersOf } from "./assemble.ts";
import { type Expr, expr, load, type Source, type Value, variables } from "./expr.ts";
import { FoldHandle, TensorHandle } from "./handles.ts";

type Place = Pick<typeof variables, "t" | "r" | "c" | "T">;
export type FoldBody = (at: Place) => Value;
export type TermBody = (at: Place & { k: Expr }) => Value;
export type Finish = (at: Place & { acc: Expr }) => Value;

/** Sizes are numbers made by `size`; a plain number is itself a fixed size. Rows and cols are 1 where nothing is said. */
export type ArgmaxSpec = { name?: string; rows?: Size; cols?: Size; axis: Size };
export type FoldSpec = { name?: string; type: ElementType; rows?: Size; cols?: Size };
export type SumSpec = FoldSpec & { axis: Size };
/** `steps` is T where nothing is said. Order 1 stores time innermost. */
export type StageSpec = { steps?: Size; order?: 0 | 1 };
export type SumCode = { body: TermBody; finish?: Finish };

/** Folds that feed back. The expressions of a loop are read when its function has returned, so they may name each other. */
export type LoopBuilder = {
  fold(spec: FoldSpec, body: FoldBody): FoldHandle;
  sum(spec: SumSpec, code: SumCode): FoldHandle;
  argmax(spec: ArgmaxSpec, body: TermBody): FoldHandle;
  /** (row, col) of a fold before this one, at this step. */
  now(fold: FoldHandle, row: Value, col: Value): Expr;
  /** (row, col) of any fold of the loop one step before; 0 at step 0. */
  prev(fold: FoldHandle, row: Value, col: Value): Expr;
};

export type ProgramBuilder = {
  /** Tensors may be declared in any order; their numbers follow from kind and order of declaration. */
  request(decl: TensorDecl): TensorHandle;
  claimed(decl: TensorDecl): TensorHandle;
  constant(decl: TensorDecl): TensorHandle;
  /** A stage of one fold that combines nothing. */
  fold(spec: FoldSpec & StageSpec, body: FoldBody): FoldHandle;
  sum(spec: SumSpec & StageSpec, code: SumCode): FoldHandle;
  /** The lowest index at which the body is greatest, i32. */
  argmax(spec: ArgmaxSpec & StageSpec, body: TermBody): FoldHandle;
  /** A stage of 1 to 16 folds that may read each other. Returns what `define` returns. */
  loop<R>(spec: { steps?: Size }, define: (loop: LoopBuilder) => R): R;
  /** @throws `machine.malformed` naming stage, fold and rule */
  build(): Program;
};

type Draft = {
  spec: Omit<Fold, "body" | "finish">;
  name: string;
  body: () => Value;
  finish: (() => Value) | undefined;
};
type DraftStage = { order: 0 | 1 | 2; steps: Size; folds: Draft[] };

/**
 * Writes a program. Stages are numbered in the order in which they are written.
 * @example
 * const p = programBuilder({ maxT: 100 });
 * const x = p.request({ type: "i8", rows: 1, cols: 4 });
 * const y = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
 * const sum = p.sum({ type: "i32", axis: 4 }, { body: ({ k }) => x.at(0, k) });
 * p.fold({ type: "i8" }, ({ t }) => eq(sum.at(t, 0, 0), y.at(0, t)));
 * const program = p.build();
 */
export function programBuilder({ maxT }: { maxT: number }): ProgramBuilder {
  const requests: TensorHandle[] = [];
  const claimed: TensorHandle[] = [];
  const constants: TensorHandle[] = [];
  const stages: DraftStage[] = [];

  const declare = (list: TensorHandle[]) => (decl: TensorDecl) => {
    const handle = new TensorHandle(decl);
    list.push(handle);
    return handle;
  };
  const single = (stage: StageSpec, draft: Draft) => {
    const { steps = size.steps(), order = 0 } = stage;
    stages.push({ order, steps, folds: [written(draft)] });
    return handleOf(draft, stages.length - 1, 0);
  };

  return {
    request: declare(requests),
    claimed: declare(claimed),
    constant: declare(constants),
    fold: (spec, body) => single(spec, foldDraft(spec, body)),
    sum: (spec, code) => single(spec, sumDraft(spec, code)),
    argmax: (spec, body) => single(spec, argmaxDraft(spec, body)),
    loop: ({ steps = size.steps() }, define) => {
      const folds: Draft[] = [];
      const stage = stages.length;
      stages.push({ order: 2, steps, folds });
      const push = (draft: Draft) => handleOf(draft, stage, folds.push(draft) - 1);
      const result = define({
        fold: (spec, body) => push(foldDraft(spec, body)),
        sum: (spec, code) => push(sumDraft(spec, code)),
        argmax: (spec, body) => push(argmaxDraft(spec, body)),
        now: (fold, row, col) => load("now", ofLoop(fold, stage), [row, col]),
        prev: (fold, row, col) => load("prev", ofLoop(fold, stage), [row, col]),
      });
      stages[stage] = { order: 2, steps, folds: folds.map(written) };
      return result;
    },
    build: () => {
      const numbersOf = numbering([...requests, ...claimed, ...constants]);
      const program: Program = {
        maxT,
        requests: requests.map(declOf),
        claimed: claimed.map(declOf),
        constants: constants.map(declOf),
        stages: stages.map(({ order, steps, folds }) => ({
          order,
          steps,
          folds: folds.map(({ spec, body, finish }) => ({
            ...spec,
            body: assemble(expr(body()), numbersOf),
            finish: finish ? assemble(expr(finish()), numbersOf) : new Uint8Array(0),
          })),
        })),
      };
      try {
        assertWellFormed(program);
      } catch (error) {
        throw withName(error, stages);
      }
      return program;
    },
  };
}

function numbering(tensors: readonly Source[]): NumbersOf {
  const numbers = new Map(tensors.map((tensor, number) => [tensor, number]));
  return (op, source) => {
    if (source instanceof FoldHandle) return op === "fold" ? [source.stage, source.fold] : [source.fold];
    const number = numbers.get(source);
    if (number === undefined) throw new MachineError("machine.bad_load", "A tensor of another program is loaded.");
    return [number];
  };
}

const { t, r, c, k, T, acc } = variables;

const draft = (
  { name = "", type, rows = 1, cols = 1 }: FoldSpec,
  { combine, axis }: { combine: Combine; axis: Size },
  body: () => Value,
  finish?: () => Value,
): Draft => ({ name, spec: { type, rows, cols, combine, axis }, body, finish });

const foldDraft = (spec: FoldSpec, body: FoldBody) =>
  draft(spec, { combine: "none", axis: 0 }, () => body({ t, r, c, T }));

const sumDraft = (spec: SumSpec, { body, finish }: SumCode) =>
  draft(
    spec,
    { combine: "sum", axis: spec.axis },
    () => body({ t, r, c, k, T }),
    finish && (() => finish({ t, r, c, T, acc })),
  );

const argmaxDraft = (spec: ArgmaxSpec, body: TermBody) =>
  draft({ ...spec, type: "i32" }, { combine: "argmax", axis: spec.axis }, () => body({ t, r, c, k, T }));

/** Reads the expressions now, while the caller's variables hold what they held when the fold was written. */
function written({ body, finish, ...rest }: Draft): Draft {
  const value = body();
  const last = finish?.();
  return { ...rest, body: () => value, finish: last === undefined ? undefined : () => last };
}

/** Adds the name of the fold to an error that gives its numbers. */
function withName(error: unknown, stages: DraftStage[]): unknown {
  if (!(error instanceof MachineError)) return error;
  const name = stages[Number(error.details.stage)]?.folds[Number(error.details.fold ?? 0)]?.name;
  if (!name) return error;
  return new MachineError(error.code, `${error.message} (${name})`, { ...error.details, name }, { cause: error });
}

const handleOf = ({ spec }: Draft, stage: number, fold: number) =>
  new FoldHandle({ type: spec.type, rows: spec.rows, cols: spec.cols, stage, fold });

const declOf = ({ type, rows, cols }: TensorHandle): TensorDecl => ({ type, rows, cols });

function ofLoop(fold: FoldHandle, stage: number): FoldHandle {
  if (fold.stage !== stage)
    throw new MachineError("machine.bad_load", "now and prev load folds of their own loop only.", {
      stage,
      loaded: fold.stage,
    });
  return fold;
}
