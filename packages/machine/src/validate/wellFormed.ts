import { MachineError } from "../errors.ts";
import { type DecodedExpression, decodeExpression } from "../expression.ts";
import {
  BYTES,
  COMBINES,
  ELEMENT_TYPES,
  type Fold,
  type Program,
  type Size,
  type Stage,
  size,
  sizeAt,
  tensorsOf,
} from "../program.ts";

export const MAX_CODE_BYTES = 1_024;
/** Combine, axis and the length of the body. */
export const CODE_HEADER_BYTES = 7;
export const MAX_T = 2 ** 24;
export const MAX_TENSOR_BYTES = 2n ** 40n;
export const MAX_LOADS = 32;
export const MAX_LOOP_FOLDS = 16;
const U16 = 0xffff;

type Where = { rule: 0 | 1 | 2 | 3; stage?: number; fold?: number; tensor?: number };

export function malformed(where: Where, reason: string): MachineError {
  const { stage, fold, tensor } = where;
  const place =
    stage !== undefined
      ? `Stage ${stage}${fold === undefined ? "" : `, fold ${fold}`}`
      : tensor !== undefined
        ? `Tensor ${tensor}`
        : "Program";
  return new MachineError("machine.malformed", `${place}: ${reason}.`, { ...where, reason });
}

/**
 * Checks every rule that decides whether a program is well-formed (`docs/fold-machine.md`, Well-formed). Rule 0: header
 * and tensor sizes; 1: records; 2: expressions; 3: loads. A statement about a malformed program is false, whoever signed it.
 * @throws `machine.malformed` with rule, stage, fold or tensor
 */
export function assertWellFormed(program: Program): void {
  checkHeader(program);
  const fixed = [0];
  for (const [tensor, decl] of tensorsOf(program).entries()) {
    const isClaimed = tensor >= program.requests.length && tensor < program.requests.length + program.claimed.length;
    const kinds = isClaimed ? [0, 1] : fixed;
    checkType({ rule: 1, tensor }, decl.type);
    checkSize({ rule: 1, tensor }, "rows", decl.rows, kinds);
    checkSize({ rule: 1, tensor }, "cols", decl.cols, kinds);
    const at = { t: 0, T: program.maxT };
    checkBytes(
      { rule: 0, tensor },
      BigInt(sizeAt(decl.rows, at)) * BigInt(sizeAt(decl.cols, at)) * BigInt(BYTES[decl.type]),
    );
  }
  for (const [index, stage] of program.stages.entries()) checkStage(program, stage, index);
}

/** The decoded expressions of one fold; `finish` is null where it is empty. Throws like `assertWellFormed`. */
export type FoldExpressions = { body: DecodedExpression; finish: DecodedExpression | null };
export function expressionsOf(program: Program, stage: number, fold: number): FoldExpressions {
  const found = program.stages[stage];
  const decl = found?.folds[fold];
  if (!found || !decl) throw malformed({ rule: 3, stage, fold }, "no such fold");
  const place = { loop: found.order === 2, stage, fold };
  return {
    body: decodeExpression(decl.body, { ...place, part: "body" }),
    finish: decl.finish.length === 0 ? null : decodeExpression(decl.finish, { ...place, part: "finish" }),
  };
}

function checkHeader({ maxT, requests, claimed, constants, stages }: Program): void {
  if (!Number.isInteger(maxT) || maxT < 1 || maxT > MAX_T)
    throw malformed({ rule: 0 }, `maxT is ${maxT}, 1 to ${MAX_T} is allowed`);
  if (stages.length < 1) throw malformed({ rule: 0 }, "there is no stage");
  for (const [name, list] of Object.entries({ requests, claimed, constants, stages }))
    if (list.length > U16) throw malformed({ rule: 0 }, `${list.length} ${name}, at most ${U16} are allowed`);
}

function checkStage(program: Program, stage: Stage, index: number): void {
  const where = { rule: 1, stage: index } as const;
  if (![0, 1, 2].includes(stage.order)) throw malformed(where, `${stage.order} is no order`);
  checkSize(where, "steps", stage.steps, [0, 1]);
  const most = stage.order === 2 ? MAX_LOOP_FOLDS : 1;
  if (stage.folds.length < 1 || stage.folds.length > most)
    throw malformed(where, `${stage.folds.length} folds, order ${stage.order} has 1${most > 1 ? ` to ${most}` : ""}`);
  for (const [number, fold] of stage.folds.entries()) checkFold(program, stage, fold, { stage: index, fold: number });
}

function checkFold(program: Program, stage: Stage, fold: Fold, at: { stage: number; fold: number }): void {
  const where = { rule: 1, ...at } as const;
  checkType(where, fold.type);
  checkSize(where, "rows", fold.rows, [0, 1]);
  checkSize(where, "cols", fold.cols, stage.order === 1 ? [0, 1] : [0, 1, 2]);
  checkBytes({ rule: 0, ...at }, largestTensorBytes(program, stage, fold));
  if (!COMBINES.includes(fold.combine)) throw malformed(where, `${fold.combine} is no combine`);
  if (fold.combine === "none") {
    if (fold.axis !== 0) throw malformed(where, "a fold that combines nothing has axis 0");
  } else checkSize(where, "axis", fold.axis, [0, 1, 2]);
  if (fold.combine === "argmax" && fold.type !== "i32") throw malformed(where, `an argmax is i32, not ${fold.type}`);
  if (fold.combine === "argmax" && fold.finish.length > 0) throw malformed(where, "an argmax has no finish");
  if (fold.body.length < 1) throw malformed(where, "the body is empty");
  const codeBytes = CODE_HEADER_BYTES + fold.body.length + fold.finish.length;
  if (codeBytes > MAX_CODE_BYTES)
    throw malformed(where, `the code has ${codeBytes} bytes, at most ${MAX_CODE_BYTES} are allowed`);

  const { body, finish } = expressionsOf(program, at.stage, at.fold);
  const loads = [...body.loads, ...(finish?.loads ?? [])];
  if (loads.length > MAX_LOADS)
    throw malformed({ rule: 2, ...at }, `${loads.length} loads, at most ${MAX_LOADS} are allowed`);
  const tensors = program.requests.length + program.claimed.length + program.constants.length;
  for (const load of loads) {
    const wrong = (reason: string) => malformed({ rule: 3, ...at }, reason);
    if (load.op === "tensor" && load.tensor >= tensors)
      throw wrong(`tensor ${load.tensor} is loaded, there are ${tensors}`);
    if (load.op === "fold") {
      if (load.stage >= at.stage) throw wrong(`stage ${load.stage} is loaded, which is no earlier stage`);
      if (load.fold >= (program.stages[load.stage]?.folds.length ?? 0))
        throw wrong(`fold ${load.fold} of stage ${load.stage} is loaded, which does not exist`);
    }
    if (load.op === "now" && load.fold >= at.fold) throw wrong(`now loads fold ${load.fold}, which is no earlier fold`);
    if (load.op === "prev" && load.fold >= stage.folds.length)
      throw wrong(`prev loads fold ${load.fold}, which does not exist`);
  }
}

/** Bytes at T = maxT of the tensor that holds the fold: all steps in orders 0 and 1, the largest step in order 2. */
export function largestTensorBytes(program: Program, stage: Stage, fold: Fold): bigint {
  const at = { t: 0, T: program.maxT };
  const steps = BigInt(sizeAt(stage.steps, at));
  const row = BigInt(sizeAt(fold.rows, at)) * BigInt(BYTES[fold.type]);
  const isHistory = size.kind(fold.cols) === 2;
  if (stage.order === 2) return row * (isHistory ? steps : BigInt(sizeAt(fold.cols, at)));
  return isHistory ? (row * steps * (steps + 1n)) / 2n : row * steps * BigInt(sizeAt(fold.cols, at));
}

function checkType(where: Where, type: string): void {
  if (!(ELEMENT_TYPES as readonly string[]).includes(type)) throw malformed(where, `${type} is no element type`);
}

function checkSize(where: Where, name: string, encoded: Size, kinds: readonly number[]): void {
  if (!Number.isInteger(encoded) || encoded < 0 || encoded > 0xffff_ffff)
    throw malformed(where, `${name} is ${encoded}, which is no u32`);
  const kind = size.kind(encoded);
  const n = size.n(encoded);
  if (!kinds.includes(kind))
    throw malformed(where, `${name} is a size of kind ${kind}, allowed are ${kinds.join(", ")}`);
  if (kind === 2 ? n !== 0 : n === 0) throw malformed(where, `${name} is a size of kind ${kind} with n = ${n}`);
}

function checkBytes(where: Where, bytes: bigint): void {
  if (bytes > MAX_TENSOR_BYTES) throw malformed(where, `the tensor has ${bytes} bytes at T = maxT, more than 2^40`);
}
