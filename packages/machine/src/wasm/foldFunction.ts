import { BYTES, size } from "../program.ts";
import {
  type AsmFunction,
  br_if,
  defineFunction,
  i32,
  i32x4,
  i64,
  i64x2,
  if_,
  type Local,
  type Locals,
  local,
  loop,
  loopWhileBelow,
  select,
  v128,
} from "./asm.ts";
import { BLOCK_COLUMNS } from "./blockDot.ts";
import { slotOffset } from "./frame.ts";
import type { Node } from "./graph.ts";
import { lazyBranches, reach } from "./laziness.ts";
import { type LoopForm, type LoopOptions, loopFormOf, type VectorForm } from "./loopForm.ts";
import type { Extent, Lowered } from "./lower.ts";
import { I64, ofType, within } from "./ranges.ts";
import { emitRunBlocks } from "./runBlocks.ts";
import { emitRunDot } from "./runDot.ts";
import { type Counters, ScalarEmitter } from "./scalars.ts";
import type { FoldCode } from "./sites.ts";
import { VECTOR_LANES } from "./vectorForm.ts";
import { VectorEmitter } from "./vectors/emitter.ts";

/** A compiled fold: one step of it, all rows and columns. Takes the address of a frame. */
export function compileFold(code: FoldCode, lowered: Lowered, options: LoopOptions): AsmFunction {
  return defineFunction({ in: ["i32"], out: [] }, ([frame], locals) => {
    new FoldEmitter(code, lowered, frame as Local<"i32">, locals, options).emit();
  });
}

class FoldEmitter {
  readonly #code: FoldCode;
  readonly #lowered: Lowered;
  readonly #frame: Local<"i32">;
  readonly #locals: Locals;
  readonly #scalars: ScalarEmitter;
  readonly #needed: Node[];
  readonly #counters: Counters;
  readonly #form: LoopForm;

  constructor(code: FoldCode, lowered: Lowered, frame: Local<"i32">, locals: Locals, options: LoopOptions) {
    this.#code = code;
    this.#lowered = lowered;
    this.#frame = frame;
    this.#locals = locals;
    this.#form = loopFormOf(code, lowered, options);
    const { term, element, outAddress, outRowAddress } = lowered;
    const { runDot, blocks, vector } = this.#form;
    const terms = runDot === undefined ? [term] : [runDot.left, runDot.right];
    const outside = (vector ?? blocks?.vector)?.outside ?? [];
    const roots = [...terms, element, outAddress, outRowAddress, ...outside].filter((node) => node !== undefined);
    this.#needed = [...reach(roots)].sort((a, b) => a.id - b.id);
    this.#counters = { r: locals.i32(), c: locals.i32(), k: locals.i32() };
    const lazy = lazyBranches(roots, options.checked);
    this.#scalars = new ScalarEmitter({ frame, locals, counters: this.#counters, needed: this.#needed, lazy });
  }

  emit(): void {
    const { rows, cols } = this.#lowered;
    const end = { r: this.#extent(rows), c: this.#extent(cols) };
    this.#level(0);
    const { runDot, blocks } = this.#form;
    if (runDot === undefined || blocks === undefined) {
      this.#rows(end);
      return;
    }
    const own = { code: this.#code, lowered: this.#lowered, locals: this.#locals, needed: this.#needed };
    const scalars = this.#scalars.fork(this.#counters);
    const k = this.#extent(this.#lowered.axis as Extent);
    const inBlocks = () => emitRunBlocks({ ...own, runDot, blocks, scalars, end: { ...end, k } });
    i32.lt_u(end.c, BLOCK_COLUMNS);
    if_(null, () => this.#rows(end), inBlocks);
  }

  /** Row by row, and the columns that are left one by one. */
  #rows(end: { r: Local<"i32">; c: Local<"i32"> }): void {
    this.#loop("r", end.r, () => {
      this.#level(1);
      local.set(this.#counters.c, i32.const(0));
      if (this.#form.vector?.loop.variable === "c") this.#vectorColumns(end.c);
      loopWhileBelow(this.#counters.c, end.c, 1, () => {
        this.#level(2);
        this.#element();
      });
    });
  }

  #element(): void {
    const { term, element, axis } = this.#lowered;
    if (term !== undefined && axis !== undefined) {
      const end = this.#extent(axis);
      if (element === undefined) this.#argmax(term, end);
      else this.#sum(term, end);
    }
    if (element !== undefined) this.#store(element);
  }

  /** Four columns a turn; the counter is left where whole turns end. */
  #vectorColumns(end: Local<"i32">): void {
    const { element, outRowAddress } = this.#lowered;
    const { type } = this.#code.decl;
    const address = () => {
      this.#scalars.get(outRowAddress as Node);
      i32.mul(this.#counters.c, BYTES[type]);
      i32.add();
    };
    this.#vectorTurns(end, (vectors) => vectors.store(element as Node, type, address));
  }

  /** Runs whole turns of the loop that has a vector form. */
  #vectorTurns(end: Local<"i32">, turn: (vectors: VectorEmitter) => void): void {
    const { loop: over, inside, outside } = this.#form.vector as VectorForm;
    const counter = this.#counters[over.variable];
    const scalar = (node: Node) => this.#scalars.get(node);
    const vectors = new VectorEmitter({ locals: this.#locals, loop: over, counters: this.#counters, scalar });
    const whole = this.#locals.i32();
    local.set(whole, i32.and(end, -VECTOR_LANES));
    vectors.prepare({ inside, outside });
    loopWhileBelow(counter, whole, VECTOR_LANES, () => {
      for (const node of inside) vectors.compute(node);
      turn(vectors);
    });
  }

  #sum(term: Node, end: Local<"i32">): void {
    const sum = this.#locals.i64();
    const { runDot, vector } = this.#form;
    if (runDot === undefined) {
      local.set(sum, i64.const(0n));
      local.set(this.#counters.k, i32.const(0));
      if (vector !== undefined) this.#vectorSum(term, end, sum);
      loopWhileBelow(this.#counters.k, end, 1, () => {
        this.#level(3);
        local.get(sum);
        this.#scalars.get(term);
        i64.add();
        local.set(sum);
      });
    } else {
      const address = (node: Node) => this.#scalars.addressOf(node);
      emitRunDot(this.#locals, runDot.form, {
        left: address(runDot.left),
        right: address(runDot.right),
        count: end,
        sum,
      });
    }
    const acc = this.#needed.find(({ op }) => op === "acc");
    if (acc !== undefined) this.#scalars.define(acc, sum);
    for (const node of this.#needed) if (node.late && !this.#scalars.isLazy(node)) this.#scalars.compute(node);
  }

  #vectorSum(term: Node, end: Local<"i32">, sum: Local<"i64">): void {
    const sums = { low: this.#locals.v128(), high: this.#locals.v128() };
    for (const half of [sums.low, sums.high]) {
      v128.const("i64x2", [0n, 0n]);
      local.set(half);
    }
    this.#vectorTurns(end, (vectors) => vectors.addTo(term, sums));
    i64x2.add(sums.low, sums.high);
    local.set(sums.low);
    i64x2.extract_lane(0, sums.low);
    i64x2.extract_lane(1, sums.low);
    i64.add();
    local.set(sum);
  }

  #argmax(term: Node, end: Local<"i32">): void {
    const [best, at, value] = [this.#locals.i64(), this.#locals.i32(), this.#locals.i64()];
    local.set(best, i64.const(I64.lo));
    local.set(at, i32.const(0));
    local.set(this.#counters.k, i32.const(0));
    if (this.#form.vector !== undefined) this.#vectorArgmax(term, end, { best, at });
    loopWhileBelow(this.#counters.k, end, 1, () => {
      this.#level(3);
      this.#scalars.get(term);
      local.set(value);
      i64.lt_s(best, value);
      if_(null, () => {
        local.set(best, value);
        local.set(at, this.#counters.k);
      });
    });
    this.#scalars.get(this.#lowered.outAddress);
    local.get(at);
    i32.store({ align: 1 });
  }

  /** Each lane keeps its greatest value and where it stood first; of equal lanes the lowest index wins. */
  #vectorArgmax(term: Node, end: Local<"i32">, { best, at }: { best: Local<"i64">; at: Local<"i32"> }): void {
    const [values, indices, mask, current] = [
      this.#locals.v128(),
      this.#locals.v128(),
      this.#locals.v128(),
      this.#locals.v128(),
    ];
    i32.const(Number(ofType.i32.lo));
    i32x4.splat();
    local.set(values);
    v128.const("i32x4", [0, 1, 2, 3]);
    local.set(indices);
    this.#vectorTurns(end, (vectors) => {
      vectors.push32(term);
      local.set(current);
      i32x4.gt_s(current, values);
      local.set(mask);
      i32x4.splat(this.#counters.k);
      v128.const("i32x4", [0, 1, 2, 3]);
      i32x4.add();
      local.get(indices);
      local.get(mask);
      v128.bitselect();
      local.set(indices);
      local.set(values, i32x4.max_s(current, values));
    });
    const [value, index] = [this.#locals.i64(), this.#locals.i32()];
    // nothing was compared where the axis is shorter than a vector: the least value and index 0 then stand
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

  #store(element: Node): void {
    const { type } = this.#code.decl;
    this.#scalars.get(this.#lowered.outAddress);
    this.#scalars.get(element);
    const limits = ofType[type];
    if (!within(element.range, limits)) {
      const value = this.#locals.i64();
      for (const [bound, isOver] of [
        [limits.hi, false],
        [limits.lo, true],
      ] as const) {
        local.set(value);
        local.get(value);
        i64.const(bound);
        if (isOver) i64.lt_s(bound, value);
        else i64.lt_s(value, bound);
        select();
      }
    }
    if (type === "i64") i64.store({ align: 1 });
    else {
      i32.wrap_i64();
      if (type === "i8") i32.store8({ align: 1 });
      if (type === "i16") i32.store16({ align: 1 });
      if (type === "i32") i32.store({ align: 1 });
    }
  }

  /** Every value of a loop level, before what is inside that loop. */
  #level(level: Node["level"]): void {
    for (const node of this.#needed)
      if (node.level === level && !node.late && !this.#scalars.isLazy(node)) this.#scalars.compute(node);
  }

  #extent({ size: encoded }: Extent): Local<"i32"> {
    const end = this.#locals.i32();
    if (size.kind(encoded) === 0) i32.const(size.n(encoded));
    else
      i32.load(
        { offset: slotOffset(this.#lowered.graph.slot({ kind: "size", size: encoded })), align: 4 },
        this.#frame,
      );
    local.set(end);
    return end;
  }

  /** Every extent is at least 1, so the condition stands at the end. */
  #loop(name: "r", end: Local<"i32">, body: () => void): void {
    const counter = this.#counters[name];
    local.set(counter, i32.const(0));
    loop(null, (again) => {
      body();
      i32.add(counter, 1);
      local.tee(counter);
      local.get(end);
      i32.lt_u();
      br_if(again);
    });
  }
}
