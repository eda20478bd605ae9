import { hull } from "../intervals.ts";
import type { Program } from "../program.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { type AsmFunction, type CompiledModule, compileModule } from "./asm.ts";
import { BLOCK_COLUMNS } from "./blockDot.ts";
import type { LoadedConstant, PackedMatrix } from "./constants.ts";
import { type DotForm, dotFormOf } from "./dots/dotForm.ts";
import { paddedColumns } from "./dots/panels.ts";
import { compileFold } from "./foldFunction.ts";
import type { Folds } from "./folds.ts";
import { frameBytes, slotOffset } from "./frame.ts";
import type { Slot } from "./graph.ts";
import type { KernelFamily } from "./kernelFamily.ts";
import { type LoopForm, loopFormOf, WORTH_VECTORS } from "./loopForm.ts";
import { type Lowered, type LoweringOptions, lowerFold, type OperandFacts } from "./lower.ts";
import type { Arena } from "./memory.ts";
import { magnitude, ofType, type Range, range } from "./ranges.ts";
import { type FoldCode, indexLiterals, operandOf, shapeKey } from "./sites.ts";

/** A slot that is written for every step: what it holds, and where in the frame (in 32-bit words). */
export type DynamicSlot = { slot: Slot; word: number };

/** A matrix product that a dot kernel computes before the fold's own function finishes its sums. */
export type DotStep = DotForm & {
  base: number;
  packed: PackedMatrix;
  /** Padded columns. */
  columns: number;
  /** Sums need 64 bits. */
  wide: boolean;
};

export type CompiledFold = {
  code: FoldCode;
  run: (frame: number) => void;
  /** Number of that function in the module of all folds. */
  function: number;
  frame: number;
  frameBytes: number;
  dynamic: DynamicSlot[];
  dot: DotStep | undefined;
  /** How it is computed, for `explain`. */
  kernel: string;
  range: Range;
};

export type CompileOptions = {
  arena: Arena;
  constants: LoadedConstant[];
  /** The program is served step by step, so the last stage records loads of steps that were not computed. */
  stepwise: boolean;
  /** Kernels to do without. */
  without: ReadonlySet<KernelFamily>;
};

type Draft = { code: FoldCode; options: LoweringOptions; dot: DotStep | undefined; range: Range };

/** Compiles all folds; folds of one shape share a function and differ by their frames. */
export function compileFolds(
  program: Program,
  folds: Folds,
  { arena, constants, stepwise, without }: CompileOptions,
): { folds: CompiledFold[]; module: CompiledModule } {
  const firstConstant = program.requests.length + program.claimed.length;
  const lastStage = program.stages.length - 1;
  const ranges: Range[] = [];
  const groups = new Map<string, Draft[]>();

  const drafts = folds.codes.map((code): Draft => {
    const checked = stepwise && code.stage === lastStage;
    const operands = code.sites.map((site): OperandFacts => {
      const operand = operandOf(program, site);
      if (site.via === "tensor") {
        const constant = constants[site.tensor - firstConstant];
        return {
          ...operand,
          range: constant?.range ?? ofType[operand.type],
          packed: constant?.packed,
          rowsApart: false,
          checked: false,
        };
      }
      const isChecked =
        checked && site.via === "fold" && isPerStep(program.stages[site.stage] as Program["stages"][number]);
      const target = folds.target(site) as number;
      const known = site.via === "prev" ? undefined : ranges[target];
      const { rowsApart } = folds.codes[target] as FoldCode;
      return { ...operand, range: known ?? ofType[operand.type], rowsApart, checked: isChecked };
    });
    const form = checked ? undefined : dotFormOf(program, code);
    const dot = form && dotStep(form, operands, constants[form.tensor - firstConstant]);
    const options: LoweringOptions = {
      maxT: program.maxT,
      operands,
      literals: code.literals.map((value) => ({ range: range(value, value) })),
      sums: dot && { range: dot.sums, wide: dot.step.wide },
      loadsStay: checked,
    };
    const lowered = lowerFold(code, options);
    ranges.push(lowered.stored);
    const layouts = operands.map(({ packed, rowsApart, checked: c }) => `${packed?.form}${rowsApart}${c}`);
    const note = `${dot?.step.wide} ${checked} ${code.rowsApart} ${layouts}`;
    const key = shapeKey(program, code, note);
    const draft = { code, options, dot: dot?.step, range: lowered.stored };
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [draft]);
    else group.push(draft);
    return draft;
  });

  const functions: Record<string, AsmFunction> = {};
  const shared = new Map<Draft, { name: string; lowered: Lowered; kernel: string }>();
  for (const group of [...groups.values()].flatMap(byIndexLiterals)) {
    const [first] = group as [Draft, ...Draft[]];
    const lowered = lowerFold(first.code, commonOptions(group));
    const name = `f${Object.keys(functions).length}`;
    const checked = first.options.loadsStay;
    const form = loopFormOf(first.code, lowered, { checked, without });
    functions[name] = compileFold(first.code, lowered, form);
    const kernel = kernelName(first, lowered, form);
    for (const draft of group) shared.set(draft, { name, lowered, kernel });
  }
  const { exports, compiled: module } = compileModule(arena.memory, functions);

  const sizes = drafts.map((draft) =>
    frameBytes((shared.get(draft) as { lowered: Lowered }).lowered.graph.slots.length),
  );
  let frame = arena.allocateZeroed(sizes.reduce((sum, bytes) => sum + bytes, 0));
  const compiled = drafts.map((draft, at): CompiledFold => {
    const { name, lowered, kernel } = shared.get(draft) as { name: string; lowered: Lowered; kernel: string };
    const own = frame;
    frame += sizes[at] as number;
    const dynamic: DynamicSlot[] = [];
    const view = new DataView(arena.memory.buffer, own, sizes[at]);
    for (const [index, slot] of lowered.graph.slots.entries()) {
      const offset = slotOffset(index);
      const base = slot.kind === "base" ? constantBase(draft.code, slot.site) : undefined;
      if (slot.kind === "literal") view.setBigInt64(offset, draft.code.literals[slot.literal] as bigint, true);
      else if (base !== undefined) view.setInt32(offset, base, true);
      else dynamic.push({ slot, word: offset / 4 });
    }
    const run = exports[name] as (frame: number) => number;
    return {
      ...{ code: draft.code, run, function: module.names.indexOf(name), frame: own, frameBytes: sizes[at] as number },
      ...{ dynamic, dot: draft.dot, kernel, range: draft.range },
    };
  });
  return { folds: compiled, module };

  function constantBase(code: FoldCode, site: number): number | undefined {
    const use = code.sites[site];
    return use?.via === "tensor" ? constants[use.tensor - firstConstant]?.base : undefined;
  }
}

function dotStep(
  form: DotForm,
  operands: OperandFacts[],
  constant: LoadedConstant | undefined,
): { step: DotStep; sums: Range } | undefined {
  const packed = constant?.packed;
  if (constant === undefined || packed === undefined) return undefined;
  const bound = BigInt(packed.largestNorm) * magnitude((operands[form.activations] as OperandFacts).range);
  const wide = bound >= 2n ** 31n;
  const step = { ...form, base: constant.base, packed, columns: paddedColumns(form.terms), wide };
  return { step, sums: range(-bound, bound) };
}

/** More sets of literals than that share one function all the same. */
const MOST_INDEX_VARIANTS = 8;

function byIndexLiterals(group: Draft[]): Draft[][] {
  const variants = Map.groupBy(group, ({ code }) => indexLiterals(code));
  return variants.size > MOST_INDEX_VARIANTS ? [group] : [...variants.values()];
}

/** What holds for every fold of a group: equal literals stay literals, ranges are widened to cover all. */
function commonOptions(group: Draft[]): LoweringOptions {
  const all = group.map(({ options }) => options);
  const [first] = all as [LoweringOptions, ...LoweringOptions[]];
  const widest = <R extends { range: Range }>(known: R, others: (R | undefined)[]): R => ({
    ...known,
    range: others.reduce((range, other) => (other === undefined ? range : hull(range, other.range)), known.range),
  });
  return {
    ...first,
    operands: first.operands.map((operand, at) =>
      widest(
        operand,
        all.map(({ operands }) => operands[at]),
      ),
    ),
    literals: first.literals.map((literal, at) =>
      widest(
        literal,
        all.map(({ literals }) => literals[at]),
      ),
    ),
    sums:
      first.sums &&
      widest(
        first.sums,
        all.map(({ sums }) => sums),
      ),
  };
}

function kernelName({ code, dot }: Draft, { rows, cols, axis }: Lowered, form: LoopForm): string {
  const { runDot, blocks, argmax, vector } = form;
  if (dot !== undefined)
    return `dot i16 x i8${dot.packed.form === "limbs" ? " in limbs" : ""}${dot.wide ? ", 64-bit sums" : ""}`;
  if (blocks !== undefined) return `dot of runs, blocks of ${blocks.shape.lines.count} x ${BLOCK_COLUMNS}`;
  if (runDot !== undefined) return "dot of runs";
  const isVector = vector !== undefined || argmax !== undefined;
  const isLoop = [rows, cols, axis].some((extent) => extent !== undefined && extent.max >= WORTH_VECTORS);
  if (!isVector && !isLoop) return "scalar";
  const combine = code.decl.combine === "none" ? "" : `, ${code.decl.combine}`;
  return `${isVector ? "vector" : "loop"}${combine}`;
}
