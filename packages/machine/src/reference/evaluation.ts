import { elementBytes } from "../elements.ts";
import type { TensorBytes } from "../engine.ts";
import { MachineError } from "../errors.ts";
import { type Program, type Stage, sizeAt } from "../program.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { element, type Operands } from "./element.ts";
import { type TensorInputs, tensorOperand } from "./operands.ts";

/** What an evaluation reads. A session replaces T and the claimed tensors as it goes forward. */
export type EvaluationInputs = TensorInputs & { request: TensorBytes[]; claimed: TensorBytes[] };

/** Computes the matrices of a job when they are asked for, each once. */
export class Evaluation {
  readonly #program: Program;
  readonly #matrices = new Map<string, bigint[]>();
  readonly #operands: Operands;
  inputs: EvaluationInputs;
  /** Asked before each matrix whether to stop. */
  isAborted: (() => boolean) | undefined;

  /** `earlier` gives the folds of stages before the last from another evaluation. */
  constructor(
    program: Program,
    inputs: EvaluationInputs,
    earlier?: (stage: number, fold: number, t: number) => bigint[],
  ) {
    this.#program = program;
    this.inputs = inputs;
    const last = program.stages.length - 1;
    this.#operands = {
      tensor: tensorOperand(program, () => this.inputs),
      fold: ({ stage, fold, t, r, c }) => {
        const matrix = earlier && stage < last ? earlier(stage, fold, t) : this.matrix(stage, fold, t);
        const value = matrix[r * this.shape(stage, fold, t).cols + c];
        if (value === undefined)
          throw new RangeError(`Stage ${stage}, fold ${fold} has no element (${t}, ${r}, ${c}).`);
        return value;
      },
    };
  }

  steps(stage: number): number {
    return sizeAt(this.#program.stages[stage]?.steps ?? 1, { t: 0, T: this.inputs.T });
  }

  /** The elements of a fold at one step, row by row. */
  matrix(stage: number, fold: number, t: number): bigint[] {
    const known = this.#matrices.get(`${stage} ${fold} ${t}`);
    if (known) return known;
    // a loop is computed from its first step on, fold by fold, rather than by recursion as deep as its steps
    if (this.#program.stages[stage]?.order === 2)
      for (let before = this.#nextStep(stage, t); before < t; before++)
        for (const each of this.#program.stages[stage]?.folds.keys() ?? []) this.#compute(stage, each, before);
    return this.#compute(stage, fold, t);
  }

  /** The same as bytes in the fold's type. */
  bytes(stage: number, fold: number, t: number): Uint8Array {
    return elementBytes(this.#program.stages[stage]?.folds[fold]?.type ?? "i64", this.matrix(stage, fold, t));
  }

  /** Another evaluation with these inputs, which takes over what is the same for the first `steps` steps. */
  fork(inputs: EvaluationInputs): Evaluation {
    const fork = new Evaluation(this.#program, inputs);
    const isSame = inputs.request === this.inputs.request;
    for (const [key, values] of this.#matrices) if (isSame) fork.#matrices.set(key, values);
    fork.forget(inputs.T);
    return fork;
  }

  /** Drops what was computed of steps from `from` on. */
  forget(from: number): void {
    for (const key of this.#matrices.keys()) {
      const [stage = 0, , t = 0] = key.split(" ").map(Number);
      if (t >= from && isPerStep(this.#program.stages[stage] as Stage)) this.#matrices.delete(key);
    }
  }

  /** Takes these elements for a fold at one step, so that what loads them is computed from them. */
  give({ stage, fold, t }: { stage: number; fold: number; t: number }, values: bigint[]): void {
    this.#matrices.set(`${stage} ${fold} ${t}`, values);
  }

  #nextStep(stage: number, t: number): number {
    let step = t;
    while (step > 0 && !this.#matrices.has(`${stage} 0 ${step - 1}`)) step--;
    return step;
  }

  #compute(stage: number, fold: number, t: number): bigint[] {
    const key = `${stage} ${fold} ${t}`;
    const known = this.#matrices.get(key);
    if (known) return known;
    if (this.isAborted?.()) throw new MachineError("machine.aborted", "The call was aborted.");
    const { rows, cols } = this.shape(stage, fold, t);
    const job = { T: this.inputs.T, operands: this.#operands };
    const values = Array.from({ length: rows * cols }, (_, e) =>
      element(this.#program, { stage, fold, t, r: Math.floor(e / cols), c: e % cols }, job),
    );
    this.#matrices.set(key, values);
    return values;
  }

  shape(stage: number, fold: number, t: number): { rows: number; cols: number } {
    const decl = this.#program.stages[stage]?.folds[fold];
    if (!decl) throw new RangeError(`There is no fold ${fold} in stage ${stage}.`);
    const when = { t, T: this.inputs.T };
    return { rows: sizeAt(decl.rows, when), cols: sizeAt(decl.cols, when) };
  }
}
