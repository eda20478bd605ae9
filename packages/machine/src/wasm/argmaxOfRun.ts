import { BYTES } from "../program.ts";
import {
  br_if,
  i8x16,
  i32,
  i32x4,
  i64,
  if_,
  type Local,
  type Locals,
  local,
  loop,
  loopWhileBelow,
  v128,
} from "./asm.ts";
import type { Node } from "./graph.ts";
import type { Range } from "./ranges.ts";
import { VECTOR_LANES } from "./vectorForm.ts";

/** Elements that lie side by side, whose greatest is asked for. */
export type RunOfArgmax = { type: "i16" | "i32"; range: Range };

export type ArgmaxOfRunParts = {
  locals: Locals;
  run: RunOfArgmax;
  /** Address of the first element. */
  base: Local<"i32">;
  counter: Local<"i32">;
  end: Local<"i32">;
};

const UNROLLED = 4;

/** The run that a value loads from as k grows, and where it begins; undefined where it is no such load. */
export function runOfArgmax(root: Node): { run: RunOfArgmax; base: Node } | undefined {
  if (root.op !== "load" || root.runs?.k === undefined || (root.type !== "i16" && root.type !== "i32"))
    return undefined;
  return { run: { type: root.type, range: root.range }, base: root.runs.k };
}

/**
 * The greatest element from the counter up to `end`, whole turns of four, and where it stands first: one pass for the
 * maximum, then a search for it, which is less than to carry an index along. The counter is left at the end.
 */
export function emitArgmaxOfRun(
  { locals, run, base, counter, end }: ArgmaxOfRunParts,
  { best, at }: { best: Local<"i64">; at: Local<"i32"> },
): void {
  const bytes = BYTES[run.type];
  const [address, start, long] = [locals.i32(), locals.i32(), locals.i32()];
  const greatest = Array.from({ length: UNROLLED }, () => locals.v128());
  const [first, ...others] = greatest as [Local<"v128">, ...Local<"v128">[]];
  const load = (vector: number) => {
    const offset = vector * VECTOR_LANES * bytes;
    if (run.type === "i16") v128.load16x4_s({ align: 1, offset }, address);
    else v128.load({ align: 1, offset }, address);
  };
  const advance = (vectors: number) => local.set(address, i32.add(address, vectors * VECTOR_LANES * bytes));
  const toStart = () => {
    i32.mul(counter, bytes);
    local.get(base);
    i32.add();
    local.set(address);
  };
  const takeGreater = (into: Local<"v128">, push: () => void) => {
    push();
    local.get(into);
    i32x4.max_s();
    local.set(into);
  };

  for (const vector of greatest) {
    i32.const(Number(run.range.lo));
    i32x4.splat();
    local.set(vector);
  }
  local.set(start, counter);
  toStart();
  local.set(long, i32.add(i32.and(i32.sub(end, counter), -UNROLLED * VECTOR_LANES), counter));
  loopWhileBelow(counter, long, UNROLLED * VECTOR_LANES, () => {
    for (const [at, vector] of greatest.entries()) takeGreater(vector, () => load(at));
    advance(UNROLLED);
  });
  loopWhileBelow(counter, end, VECTOR_LANES, () => {
    takeGreater(first, () => load(0));
    advance(1);
  });
  for (const other of others) takeGreater(first, () => local.get(other));
  // every lane then has the maximum
  for (const words of [SWAPPED_HALVES, SWAPPED_PAIRS])
    takeGreater(first, () => {
      local.get(first);
      local.get(first);
      i8x16.shuffle([...words]);
    });

  i32.lt_u(start, end);
  if_(null, () => {
    i32x4.extract_lane(0, first);
    i64.extend_i32_s();
    local.set(best);
    local.set(counter, start);
    toStart();
    const found = locals.v128();
    loop(null, (again) => {
      load(0);
      local.get(first);
      i32x4.eq();
      local.set(found);
      advance(1);
      local.set(counter, i32.add(counter, VECTOR_LANES));
      v128.any_true(found);
      i32.eqz();
      br_if(again);
    });
    i32x4.bitmask(found);
    i32.ctz();
    i32.sub(counter, VECTOR_LANES);
    i32.add();
    local.set(at);
    local.set(counter, end);
  });
}

const SWAPPED_HALVES = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7] as const;
const SWAPPED_PAIRS = [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11] as const;
