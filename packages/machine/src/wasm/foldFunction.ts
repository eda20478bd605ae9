import { BYTES, size } from "../program.ts";
import { emitArgmax } from "./argmaxLoop.ts";
import {
  type AsmFunction,
  defineFunction,
  i32,
  i64,
  i64x2,
  if_,
  type Local,
  type Locals,
  local,
  loopWhileBelow,
  v128,
} from "./asm.ts";
import { BLOCK_COLUMNS } from "./blockDot.ts";
import { slotOffset } from "./frame.ts";
import type { Node } from "./graph.ts";
import { argmaxInLanes, type LaneIndices, sumInLanes } from "./laneReductions.ts";
import { lazyBranches, reach } from "./laziness.ts";
import type { LoopForm, VectorForm } from "./loopForm.ts";
import type { Extent, Lowered } from "./lower.ts";
import { I64 } from "./ranges.ts";
import { emitRunBlocks } from "./runBlocks.ts";
import { emitRunDot } from "./runDot.ts";
import { type Counters, ScalarEmitter } from "./scalars.ts";
import type { FoldCode } from "./sites.ts";
import { emitScalarStore } from "./storing.ts";
import { outsideOf, type VectorCases, type VectorLeaf } from "./vectorCases.ts";
import { VECTOR_LANES } from "./vectorForm.ts";
import { VectorEmitter } from "./vectors/emitter.ts";

/** A compiled fold: one step of it, all rows and columns. Takes the address of a frame. */
export function compileFold(code: FoldCode, lowered: Lowered, form: LoopForm): AsmFunction {
  return defineFunction({ in: ["i32"], out: [] }, ([frame], locals) => {
    new FoldEmitter(code, lowered, { form, frame: frame as Local<"i32">, locals }).emit();
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

  constructor(
    code: FoldCode,
    lowered: Lowered,
    { form, frame, locals }: { form: LoopForm; frame: Local<"i32">; locals: Locals },
  ) {
    this.#code = code;
    this.#lowered = lowered;
    this.#frame = frame;
    this.#locals = locals;
    this.#form = form;
    const { term, element, outAddress, outRowAddress } = lowered;
    const { runDot, blocks, argmax, vector } = this.#form;
    const terms = runDot === undefined ? [term] : [runDot.left, runDot.right];
    const cases = argmax?.cases ?? vector?.cases ?? blocks?.vector;
    const outside = cases === undefined ? [] : outsideOf(cases);
    const roots = [...terms, element, outAddress, outRowAddress, ...outside].filter((node) => node !== undefined);
    this.#needed = [...reach(roots)].sort((a, b) => a.id - b.id);
    this.#counters = { r: locals.i32(), c: locals.i32(), k: locals.i32() };
    const lazy = lazyBranches(roots, form.checked);
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
    const over = this.#form.vector?.loop.variable;
    local.set(this.#counters.r, i32.const(0));
    if (over === "r") this.#vectorElements(end.r, end.c);
    loopWhileBelow(this.#counters.r, end.r, 1, () => {
      this.#level(1);
      local.set(this.#counters.c, i32.const(0));
      if (over === "c") this.#vectorElements(end.c);
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

  /** Four elements a turn: neighbours of a row, or of every column; the counter is left where whole turns end. */
  #vectorElements(end: Local<"i32">, columns?: Local<"i32">): void {
    this.#vectorTurns(end, (leaf, vectors) => {
      const level = (at: Node["level"]) => {
        for (const node of leaf.inside) if (node.level === at && !node.late) vectors.compute(node);
      };
      const element = () => {
        level(2);
        const index = this.#reduceInLanes(leaf, vectors, () => level(3));
        for (const node of leaf.inside) if (node.late) vectors.compute(node);
        this.#storeLanes(leaf, vectors, index);
      };
      if (columns === undefined) {
        element();
        return;
      }
      level(1);
      local.set(this.#counters.c, i32.const(0));
      loopWhileBelow(this.#counters.c, columns, 1, element);
    });
  }

  /** A sum or an argmax in each lane; the indices of an argmax. */
  #reduceInLanes(leaf: VectorLeaf, vectors: VectorEmitter, terms: () => void): LaneIndices | undefined {
    const { term, element, axis } = this.#lowered;
    if (term === undefined || axis === undefined) return undefined;
    const { k } = this.#counters;
    const end = this.#extent(axis);
    const turns = (turn: () => void) => {
      local.set(k, i32.const(0));
      loopWhileBelow(k, end, 1, () => {
        terms();
        turn();
      });
    };
    if (element === undefined) return argmaxInLanes(this.#locals, vectors, { term: leaf.root, k, turns });
    const sums = sumInLanes(this.#locals, vectors, { term, turns });
    const acc = this.#needed.find(({ op }) => op === "acc");
    if (acc !== undefined) vectors.define(acc, sums);
    return undefined;
  }

  #storeLanes({ root, inside }: VectorLeaf, vectors: VectorEmitter, indices: LaneIndices | undefined): void {
    const { outAddress, outRowAddress } = this.#lowered;
    const { type } = this.#code.decl;
    if (indices !== undefined) vectors.scatterIndices(indices, outAddress);
    else if (inside.includes(outAddress) || outRowAddress === undefined) vectors.scatter(root, type, outAddress);
    else
      vectors.store(root, type, () => {
        this.#scalars.get(outRowAddress);
        i32.mul(this.#counters.c, BYTES[type]);
        i32.add();
      });
  }

  /** Writes each way of running a loop; `write` is given what one of them computes. */
  #eachLeaf<L extends VectorLeaf>(
    { loop, cases }: VectorForm<L>,
    write: (leaf: L, vectors: VectorEmitter) => void,
  ): void {
    const scalar = (node: Node) => this.#scalars.get(node);
    const visit = (at: VectorCases<L>): void => {
      if ("root" in at) {
        const vectors = new VectorEmitter({ locals: this.#locals, loop, counters: this.#counters, scalar });
        vectors.prepare(at);
        write(at, vectors);
        return;
      }
      scalar(at.predicate);
      i64.const(0n);
      i64.ne();
      if_(
        null,
        () => visit(at.taken),
        () => visit(at.other),
      );
    };
    visit(cases);
  }

  /** Runs whole turns; `turn` writes one of them. */
  #vectorTurns(end: Local<"i32">, turn: (leaf: VectorLeaf, vectors: VectorEmitter) => void): void {
    const form = this.#form.vector as VectorForm;
    const whole = this.#wholeTurns(end);
    this.#eachLeaf(form, (leaf, vectors) => {
      loopWhileBelow(this.#counters[form.loop.variable], whole, VECTOR_LANES, () => turn(leaf, vectors));
    });
  }

  #wholeTurns(end: Local<"i32">): Local<"i32"> {
    const whole = this.#locals.i32();
    local.set(whole, i32.and(end, -VECTOR_LANES));
    return whole;
  }

  #sum(term: Node, end: Local<"i32">): void {
    const sum = this.#locals.i64();
    const { runDot, vector } = this.#form;
    if (runDot === undefined) {
      local.set(sum, i64.const(0n));
      local.set(this.#counters.k, i32.const(0));
      if (vector?.loop.variable === "k") this.#vectorSum(end, sum);
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

  #vectorSum(end: Local<"i32">, sum: Local<"i64">): void {
    const sums = { low: this.#locals.v128(), high: this.#locals.v128() };
    for (const half of [sums.low, sums.high]) {
      v128.const("i64x2", [0n, 0n]);
      local.set(half);
    }
    this.#vectorTurns(end, ({ root, inside }, vectors) => {
      for (const node of inside) vectors.compute(node);
      vectors.addTo(root, sums);
    });
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
    const { argmax } = this.#form;
    if (argmax !== undefined) {
      const whole = this.#wholeTurns(end);
      this.#eachLeaf(argmax, (leaf, vectors) => {
        const counter = this.#counters.k;
        const addressOf = (node: Node) => this.#scalars.addressOf(node);
        emitArgmax({ locals: this.#locals, vectors, leaf, counter, end: whole, addressOf }, { best, at });
      });
    }
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

  #store(element: Node): void {
    const { type } = this.#code.decl;
    this.#scalars.get(this.#lowered.outAddress);
    this.#scalars.get(element);
    emitScalarStore(this.#locals, type, element.range);
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
}
