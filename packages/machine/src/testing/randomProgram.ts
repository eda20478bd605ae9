import fc from "fast-check";
import { type LoopBuilder, type ProgramBuilder, programBuilder } from "../builder/builder.ts";
import { type Expr, type Value, variables } from "../builder/expr.ts";
import type { FoldHandle, TensorHandle } from "../builder/handles.ts";
import { add, clamp, dot, mul, shr, sub } from "../builder/operations.ts";
import type { Job } from "../engine.ts";
import { ELEMENT_TYPES, type Program, type Size, size, sizeAt } from "../program.ts";
import { type Choices, choicesOf } from "./choices.ts";
import { randomBytes } from "./randomBytes.ts";
import { randomExpression, type Scope } from "./randomExpression.ts";

export type RandomJob = { program: Program; constants: Uint8Array[]; job: Job };
export type RandomProgramOptions = {
  /** Only programs that sessions can compute step by step. */
  stepwise?: boolean;
};

/**
 * Random well-formed programs with a job each: all orders, loops, histories, constant and T-dependent sizes, gathers,
 * every operation, dot products and sums over histories in the forms that back ends recognise, and tensors at the ends
 * of their types. Small enough for the reference. The statement is hardly ever true.
 */
export const randomJob = ({ stepwise = false }: RandomProgramOptions = {}): fc.Arbitrary<RandomJob> =>
  fc.gen().map((draw) => generate(choicesOf(draw), stepwise));

type Stored = { fold: FoldHandle; perStep: boolean };

function generate(choices: Choices, stepwise: boolean): RandomJob {
  const maxT = choices.pick([1, 3, 5, 9, 12]);
  const p = programBuilder({ maxT });
  const type = () => choices.pick(ELEMENT_TYPES);
  const many = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: choices.integer(least, most) }, make);

  const inputs = many(1, 2, () =>
    p.request({ type: type(), rows: choices.integer(1, 3), cols: choices.integer(1, 6) }),
  );
  const claimed = many(1, 2, () =>
    stepwise
      ? p.claimed({ type: type(), rows: 1, cols: size.steps() })
      : p.claimed({
          type: type(),
          rows: choices.pick([1, 2, size.steps(2)]),
          cols: choices.pick([size.steps(), 3, size.steps(3)]),
        }),
  );
  const constants = many(1, 3, () =>
    p.constant({ type: type(), rows: choices.integer(1, 5), cols: choices.pick([1, 3, 8, 16, 33, 64, 70]) }),
  );
  const stages = choices.integer(0, 5);
  const world: World = { p, choices, stepwise, tensors: [...inputs, ...constants], claimed, constants, stored: [] };
  for (let stage = 0; stage < stages; stage++) writeStage(world);
  p.fold({ type: "i8", cols: choices.integer(1, 2) }, () =>
    randomExpression(choices, scopeOf(world, { isLast: true, axis: 0, cols: 1, perStep: true })),
  );

  const program = p.build();
  const T = choices.chance(60) ? maxT : choices.integer(1, maxT);
  const bytesOf = ({ type, rows, cols }: { type: TensorHandle["type"]; rows: Size; cols: Size }) =>
    randomBytes(choices, type, sizeAt(rows, { t: 0, T }) * sizeAt(cols, { t: 0, T }));
  return {
    program,
    constants: program.constants.map(bytesOf),
    job: { T, request: program.requests.map(bytesOf), claimed: program.claimed.map(bytesOf) },
  };
}

type World = {
  p: ProgramBuilder;
  choices: Choices;
  stepwise: boolean;
  tensors: TensorHandle[];
  claimed: TensorHandle[];
  constants: TensorHandle[];
  stored: Stored[];
};
type Place = {
  isLast: boolean;
  axis: Size;
  cols: Size;
  perStep: boolean;
  loop?: { builder: LoopBuilder; folds: FoldHandle[]; own: number };
};

function writeStage(world: World): void {
  const { p, choices, stepwise, stored } = world;
  const steps = choices.pick([
    size.steps(),
    size.steps(),
    size.steps(),
    choices.integer(1, 3),
    ...(stepwise ? [] : [size.steps(2)]),
  ]);
  const perStep = steps === size.steps();
  const store = (fold: FoldHandle) => stored.push({ fold, perStep });
  if (choices.chance(20)) {
    const folds = p.loop({ steps }, (loop) => {
      const made: FoldHandle[] = [];
      for (let own = choices.integer(0, 2); own >= 0; own--) {
        const number = made.length;
        made.push(
          writeFold(world, loop, { steps, order: 0, perStep, loop: { builder: loop, folds: made, own: number } }),
        );
      }
      return made;
    });
    for (const fold of folds) store(fold);
  } else if (choices.chance(30) && writeShaped(world)) return;
  else store(writeFold(world, p, { steps, order: choices.chance(25) ? 1 : 0, perStep }));
}

type FoldPlace = Pick<Place, "perStep" | "loop"> & { steps: Size; order: 0 | 1 };

function writeFold(
  world: World,
  to: ProgramBuilder | LoopBuilder,
  { steps, order, perStep, loop }: FoldPlace,
): FoldHandle {
  const { choices, stepwise } = world;
  const varying = stepwise ? [] : [size.steps(), size.steps(2)];
  const rows = choices.pick([1, 1, 2, 3, ...(stepwise ? [] : [size.steps(3)])]);
  const cols = choices.pick([1, 2, 3, 5, ...(order === 1 ? [] : [size.history]), ...varying]);
  const axis = choices.pick([1, 2, 5, 9, size.history, size.history, ...varying]);
  const type = choices.pick(ELEMENT_TYPES);
  const place = { isLast: false, axis, cols, perStep, ...(loop ? { loop } : {}) };
  const scope = scopeOf(world, place);
  const plain = scopeOf(world, { ...place, axis: 0 });
  const body = () => randomExpression(choices, { ...scope, variables: [...scope.variables, variables.k] });
  const common = { rows, cols, ...("loop" in to ? { steps, order } : {}) };
  const combine = choices.pick(["none", "none", "sum", "sum", "argmax"] as const);
  if (combine === "argmax") return to.argmax({ ...common, axis }, body);
  if (combine === "none") return to.fold({ ...common, type }, () => randomExpression(choices, plain));
  const finish = () =>
    randomExpression(choices, { ...plain, variables: [...plain.variables, variables.acc, variables.acc] });
  return to.sum({ ...common, type, axis }, choices.chance(60) ? { body, finish } : { body });
}

/** A dot product with a constant, scores against a history, or a weighted sum over it: what has kernels of its own. */
function writeShaped({ p, choices, stored, constants }: World): boolean {
  const store = (fold: FoldHandle) => stored.push({ fold, perStep: true });
  const perStep = stored.filter((each) => each.perStep).map(({ fold }) => fold);
  if (perStep.length === 0) return false;
  const x = choices.pick(perStep);
  const w = choices.pick(constants);
  const width = size.kind(w.cols) === 0 ? size.n(w.cols) : 1;
  const bits = choices.integer(0, 12);
  const finish = ({ acc }: { acc: Expr }) => clamp(shr(mul(acc, choices.integer(1, 300)), bits), -32_767, 32_767);
  const shape = choices.pick(["dot", "scores", "weighted"] as const);
  if (shape === "dot") {
    const row = (c: Expr): Value => (choices.chance(70) ? c : add(mul(c, 2), 1));
    const spec = {
      type: choices.pick(["i8", "i16", "i32"] as const),
      cols: choices.integer(1, 5),
      axis: width,
      order: choices.pick([0, 1] as const),
    };
    store(p.sum(spec, { body: ({ t, c, k }) => dot(x.at(t, 0, k), w.at(row(c), k)), finish }));
  } else if (shape === "scores") {
    const y = choices.pick(perStep);
    store(
      p.sum(
        { type: "i32", rows: 2, cols: size.history, axis: 8 },
        { body: ({ t, r, c, k }) => dot(x.at(t, r, k), y.at(c, 0, k)), finish },
      ),
    );
  } else {
    const y = choices.pick(perStep);
    const body = ({ t, c, k }: { t: Expr; c: Expr; k: Expr }) => mul(x.at(t, 0, k), y.at(k, 0, c));
    store(p.sum({ type: "i32", cols: 3, axis: size.history }, { body, finish }));
  }
  return true;
}

function scopeOf(
  { choices, stepwise, tensors, claimed, stored }: World,
  { isLast, axis, cols, perStep, loop }: Place,
): Scope {
  const isFree = !stepwise || isLast;
  const { t, r, c, k, T } = variables;
  const past = (): Value => (choices.chance(70) ? t : sub(t, choices.integer(0, 3)));
  const load = (index: () => Value): Expr | undefined => {
    if (loop && choices.chance(50)) {
      const other = choices.pick(loop.folds);
      const isEarlier = loop.folds.indexOf(other) < loop.own;
      return isEarlier && choices.chance(50)
        ? loop.builder.now(other, index(), index())
        : loop.builder.prev(other, index(), index());
    }
    if (stored.length > 0 && choices.chance(50)) {
      const { fold, ...of } = choices.pick(stored);
      if (isFree || !of.perStep) return fold.at(choices.chance(60) ? t : index(), index(), index());
      if (!perStep) return undefined;
      const taken = [past(), ...(size.kind(axis) === 2 ? [k] : []), ...(size.kind(cols) === 2 ? [c] : [])];
      return fold.at(choices.pick(taken), index(), index());
    }
    if (choices.chance(30)) {
      const tensor = choices.pick(claimed);
      if (isFree) return tensor.at(index(), index());
      return perStep ? tensor.at(0, past()) : undefined;
    }
    return choices.pick(tensors).at(index(), index());
  };
  return { variables: isFree ? [t, r, c, T] : [t, r, c], load };
}
