import type { ArgmaxLeaf, ArgmaxTest } from "./argmaxForm.ts";
import { emitArgmaxOfRun, runOfArgmax } from "./argmaxOfRun.ts";
import { i32, i32x4, i64, i64x2, if_, type Local, type Locals, local, loopWhileBelow, select, v128 } from "./asm.ts";
import type { Node } from "./graph.ts";
import { ofType } from "./ranges.ts";
import { isNarrow, VECTOR_LANES } from "./vectorForm.ts";
import type { VectorEmitter } from "./vectors/emitter.ts";

export type Best = { best: Local<"i64">; at: Local<"i32"> };
type Vector = Local<"v128">;

export type ArgmaxParts = {
  locals: Locals;
  vectors: VectorEmitter;
  leaf: ArgmaxLeaf;
  counter: Local<"i32">;
  /** Where whole turns end. */
  end: Local<"i32">;
  /** The local of an address from outside the loop. */
  addressOf(node: Node): Local<"i32">;
};

/** Finds the greatest of the candidates of whole turns, where it stands first, skipping what cannot win. */
export function emitArgmax(parts: ArgmaxParts, into: Best): void {
  const { root, argmax } = parts.leaf;
  const { tests, floor } = argmax;
  local.set(into.best, i64.const(floor));
  local.set(into.at, i32.const(0));
  const [test] = tests;
  const isPlain = tests.length === 1 && test !== undefined && "bound" in test && test.bound === root && isNarrow(root);
  const run = runOfArgmax(root);
  if (isPlain && run !== undefined) emitArgmaxOfRun({ ...parts, run: run.run, base: parts.addressOf(run.base) }, into);
  else if (isPlain) emitByLanes(parts, into);
  else emitBySkipping(parts, into);
}

/** Each lane keeps its greatest value and where it stood first; of equal lanes the lowest index wins. */
function emitByLanes({ locals, vectors, leaf: { root, inside }, counter, end }: ArgmaxParts, { best, at }: Best): void {
  const [values, indices, mask, current] = [locals.v128(), locals.v128(), locals.v128(), locals.v128()];
  i32.const(Number(root.range.lo));
  i32x4.splat();
  local.set(values);
  v128.const("i32x4", [0, 0, 0, 0]);
  local.set(indices);
  loopWhileBelow(counter, end, VECTOR_LANES, () => {
    for (const node of inside) vectors.compute(node);
    vectors.push32(root);
    local.set(current);
    i32x4.gt_s(current, values);
    local.set(mask);
    i32x4.splat(counter);
    v128.const("i32x4", [0, 1, 2, 3]);
    i32x4.add();
    local.get(indices);
    local.get(mask);
    v128.bitselect();
    local.set(indices);
    local.set(values, i32x4.max_s(current, values));
  });
  const [value, index] = [locals.i64(), locals.i32()];
  for (const lane of [0, 1, 2, 3] as const) {
    i32x4.extract_lane(lane, values);
    i64.extend_i32_s();
    local.set(value);
    local.set(index, i32x4.extract_lane(lane, indices));
    i64.lt_s(best, value);
    i64.eq(best, value);
    i32.lt_u(index, at);
    i32.and();
    i32.or();
    if_(null, () => {
      local.set(best, value);
      local.set(at, index);
    });
  }
}

/** Keeps one best candidate; a turn is computed only as far as some lane of it may exceed it. */
function emitBySkipping({ locals, vectors, leaf, counter, end }: ArgmaxParts, { best, at }: Best): void {
  const { root, inside, argmax } = leaf;
  const threshold = { narrow: locals.v128(), wide: locals.v128() };
  setThresholds(locals, best, threshold);
  const update = () => {
    for (const lane of [0, 1, 2, 3]) {
      const value = vectors.lane(root, lane);
      i64.lt_s(best, value);
      if_(null, () => {
        local.set(best, value);
        local.set(at, i32.add(counter, lane));
      });
    }
    setThresholds(locals, best, threshold);
  };
  const passing = ([test, ...others]: ArgmaxTest[]): void => {
    if (test === undefined) {
      for (const node of inside) vectors.compute(node);
      pushExceeds(vectors, root, threshold);
      if_(null, update);
      return;
    }
    for (const node of test.inside) vectors.compute(node);
    if ("bound" in test) pushExceeds(vectors, test.bound, threshold);
    else {
      vectors.pushMask(test.excluded);
      i32x4.all_true();
      i32.eqz();
    }
    if_(null, () => passing(others));
  };
  loopWhileBelow(counter, end, VECTOR_LANES, () => passing(argmax.tests));
}

/** The least narrow value above the best, which may lie outside of 32 bits; and the best itself as 64-bit lanes. */
function setThresholds(locals: Locals, best: Local<"i64">, { narrow, wide }: { narrow: Vector; wide: Vector }): void {
  const value = locals.i64();
  local.set(value, i64.add(best, 1n));
  for (const [bound, isUpper] of [
    [ofType.i32.lo, false],
    [ofType.i32.hi, true],
  ] as const) {
    local.get(value);
    i64.const(bound);
    if (isUpper) i64.lt_s(value, bound);
    else i64.lt_s(bound, value);
    select();
    local.set(value);
  }
  i32.wrap_i64(value);
  i32x4.splat();
  local.set(narrow);
  local.set(wide, i64x2.splat(best));
}

/** Pushes whether some lane of a value may exceed the best; surely not where it pushes 0. */
function pushExceeds(vectors: VectorEmitter, node: Node, { narrow, wide }: { narrow: Vector; wide: Vector }): void {
  if (isNarrow(node)) {
    vectors.push32(node);
    local.get(narrow);
    i32x4.ge_s();
  } else {
    const { low, high } = vectors.wide(node);
    i64x2.gt_s(low, wide);
    i64x2.gt_s(high, wide);
    v128.or();
  }
  v128.any_true();
}
