import { BYTES, size } from "../program.ts";
import { mulShift, philox, roundShift, squareRoot, unsignedDivide } from "./arithmetic.ts";
import {
  type AsmFunction,
  br_if,
  call,
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
import type { Node } from "./graph.ts";
import { type Branch, lazyBranches, reach } from "./laziness.ts";
import { type LoopForm, loopFormOf, type VectorForm } from "./loopForm.ts";
import type { Extent, Lowered } from "./lower.ts";
import { I64, ofType, within } from "./ranges.ts";
import { emitBlockDot, emitRunDot, isBlockInvariant, type RunDot } from "./runDot.ts";
import type { FoldCode } from "./sites.ts";
import { VECTOR_LANES, VectorEmitter } from "./vectors.ts";

/** Bytes of one slot of a frame. Slot 0 of every frame is set to 1 by a load of a step that was not computed. */
export const SLOT_BYTES = 8;
export const MISSING_SLOT = 0;
const offsetOf = (slot: number): number => (slot + 1) * SLOT_BYTES;
export const frameBytes = (slots: number): number => offsetOf(slots);
export { offsetOf as slotOffset };

/** A compiled fold: one step of it, all rows and columns. Takes the address of a frame. */
export function compileFold(code: FoldCode, lowered: Lowered, options: { checked: boolean }): AsmFunction {
  return defineFunction({ in: ["i32"], out: [] }, ([frame], locals) => {
    new FoldEmitter(code, lowered, frame as Local<"i32">, locals, options.checked).emit();
  });
}

class FoldEmitter {
  readonly #code: FoldCode;
  readonly #lowered: Lowered;
  readonly #frame: Local<"i32">;
  readonly #locals: Locals;
  readonly #computed = new Map<Node, Local>();
  readonly #branches: Branch[];
  readonly #ownerOf: Map<Node, Branch>;
  readonly #needed: Node[];
  readonly #counters: { r: Local<"i32">; c: Local<"i32">; k: Local<"i32"> };
  readonly #form: LoopForm;

  constructor(code: FoldCode, lowered: Lowered, frame: Local<"i32">, locals: Locals, checked: boolean) {
    this.#code = code;
    this.#lowered = lowered;
    this.#frame = frame;
    this.#locals = locals;
    this.#form = loopFormOf(code, lowered, checked);
    const { term, element, outAddress, outRowAddress } = lowered;
    const { runDot, vector } = this.#form;
    const terms = runDot === undefined ? [term] : [runDot.left, runDot.right];
    const roots = [...terms, element, outAddress, outRowAddress, ...(vector?.outside ?? [])].filter(
      (node) => node !== undefined,
    );
    const { branches, ownerOf } = lazyBranches(roots, checked);
    this.#branches = branches;
    this.#ownerOf = ownerOf;
    this.#needed = [...reach(roots)].sort((a, b) => a.id - b.id);
    this.#counters = { r: locals.i32(), c: locals.i32(), k: locals.i32() };
  }

  emit(): void {
    const { rows, cols } = this.#lowered;
    const end = { r: this.#extent(rows), c: this.#extent(cols) };
    this.#level(0);
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
    const { runDot } = this.#form;
    const address = () => {
      this.#get(outRowAddress as Node);
      i32.mul(this.#counters.c, BYTES[type]);
      i32.add();
    };
    const sums = runDot && ((vectors: VectorEmitter) => this.#blockSums(runDot, vectors));
    this.#vectorTurns(end, (vectors) => vectors.store(element as Node, type, address), sums);
  }

  /** Sums of the four columns from the counter on. */
  #blockSums({ form, left, right }: RunDot, vectors: VectorEmitter): void {
    const { axis } = this.#lowered;
    const { c } = this.#counters;
    const addresses = (node: Node) => {
      const changing = this.#needed.filter((value) => value.level === 2 && reach([node]).has(value));
      const columns = isBlockInvariant(node) ? [0] : [0, 1, 2, 3];
      const found = columns.map((column) => {
        if (column > 0) local.set(c, i32.add(c, 1));
        for (const value of changing) this.#compute(value);
        const address = this.#locals.i32();
        this.#get(node);
        local.set(address);
        for (const value of changing) this.#computed.delete(value);
        return address;
      });
      if (columns.length > 1) local.set(c, i32.sub(c, columns.length - 1));
      return found;
    };
    const extent = axis as Extent;
    const fixed = size.kind(extent.size) === 0 ? extent.max : undefined;
    const at = { left: addresses(left), right: addresses(right), count: this.#extent(extent), fixed };
    const sums = emitBlockDot(this.#locals, form, at);
    const acc = this.#needed.find(({ op }) => op === "acc");
    if (acc !== undefined) vectors.define(acc, sums);
  }

  /** Runs whole turns of the loop that has a vector form. */
  #vectorTurns(
    end: Local<"i32">,
    turn: (vectors: VectorEmitter) => void,
    before?: (vectors: VectorEmitter) => void,
  ): void {
    const { loop: over, inside, outside } = this.#form.vector as VectorForm;
    const counter = this.#counters[over.variable];
    const scalar = (node: Node) => this.#get(node);
    const vectors = new VectorEmitter({ locals: this.#locals, loop: over, counter, scalar });
    const whole = this.#locals.i32();
    local.set(whole, i32.and(end, -VECTOR_LANES));
    for (const node of outside) vectors.spread(node);
    loopWhileBelow(counter, whole, VECTOR_LANES, () => {
      before?.(vectors);
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
        this.#get(term);
        i64.add();
        local.set(sum);
      });
    } else {
      const address = (node: Node) => this.#computed.get(node) as Local<"i32">;
      emitRunDot(this.#locals, runDot.form, {
        left: address(runDot.left),
        right: address(runDot.right),
        count: end,
        sum,
      });
    }
    const acc = this.#needed.find(({ op }) => op === "acc");
    if (acc !== undefined) this.#computed.set(acc, sum);
    for (const node of this.#needed) if (node.late && !this.#ownerOf.has(node)) this.#compute(node);
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
      this.#get(term);
      local.set(value);
      i64.lt_s(best, value);
      if_(null, () => {
        local.set(best, value);
        local.set(at, this.#counters.k);
      });
    });
    this.#get(this.#lowered.outAddress);
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
    this.#get(this.#lowered.outAddress);
    this.#get(element);
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
      if (node.level === level && !node.late && !this.#ownerOf.has(node)) this.#compute(node);
  }

  #extent({ size: encoded }: Extent): Local<"i32"> {
    const end = this.#locals.i32();
    if (size.kind(encoded) === 0) i32.const(size.n(encoded));
    else
      i32.load({ offset: offsetOf(this.#lowered.graph.slot({ kind: "size", size: encoded })), align: 4 }, this.#frame);
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

  #get(node: Node): void {
    if (node.op === "literal") i64.const(node.value);
    else local.get(this.#computed.get(node) as Local);
  }

  #compute(node: Node): void {
    if (node.op === "literal" || this.#computed.has(node)) return;
    const isAddress = ["slot32", "wrap", "add32", "scale32", "mul32"].includes(node.op);
    const result: Local = isAddress ? this.#locals.i32() : this.#locals.i64();
    this.#computed.set(node, result);
    this.#push(node);
    local.set(result);
  }

  #push(node: Node): void {
    const args = () => {
      for (const arg of node.args) this.#get(arg);
    };
    const [a, b, third] = node.args;
    switch (node.op) {
      case "literal":
      case "acc":
        throw new Error(`${node.op} is not computed`);
      case "slot":
        i64.load({ offset: offsetOf(node.slot), align: 8 }, this.#frame);
        return;
      case "slot32":
        i32.load({ offset: offsetOf(node.slot), align: 4 }, this.#frame);
        return;
      case "r":
      case "c":
      case "k":
        i64.extend_i32_u(this.#counters[node.op]);
        return;
      case "wrap":
        args();
        i32.wrap_i64();
        return;
      case "add32":
        args();
        i32.add();
        return;
      case "mul32":
        args();
        i32.mul();
        return;
      case "scale32":
        args();
        i32.const(node.factor);
        i32.mul();
        return;
      case "load":
        this.#load(node);
        return;
      case "add":
      case "sub":
      case "mul":
      case "and":
      case "or":
      case "xor":
      case "shl":
        args();
        i64[node.op]();
        return;
      case "shr":
        this.#roundShift(a as Node, b as Node);
        return;
      case "mulshr":
        args();
        call(mulShift);
        return;
      case "min":
      case "max": {
        args();
        const [low, high] = node.op === "min" ? [a, b] : [b, a];
        this.#get(low as Node);
        this.#get(high as Node);
        i64.lt_s();
        select();
        return;
      }
      case "eq":
      case "lt":
        this.#condition(node);
        i64.extend_i32_u();
        return;
      case "select":
        this.#select(node, a as Node, b as Node, third as Node);
        return;
      case "udiv":
        this.#divide(a as Node, b as Node);
        return;
      case "isqrt":
        args();
        call(squareRoot);
        return;
      case "bitlen":
        i64.const(64n);
        args();
        i64.clz();
        i64.sub();
        return;
      case "philox":
        args();
        call(philox);
        return;
      default:
        node satisfies never;
    }
  }

  #load(node: Node & { op: "load" }): void {
    const [address, presence] = node.args as [Node, Node?];
    if (presence !== undefined) {
      this.#get(presence);
      i32.load8_u({});
      i32.eqz();
      if_(null, () => {
        local.get(this.#frame);
        i32.const(1);
        i32.store({ offset: MISSING_SLOT, align: 4 });
      });
    }
    this.#get(address);
    const bits = BYTES[node.type] * 8;
    if (bits === 8) i64.load8_s({ align: 1 });
    if (bits === 16) i64.load16_s({ align: 1 });
    if (bits === 32) i64.load32_s({ align: 1 });
    if (bits === 64) i64.load({ align: 1 });
  }

  #roundShift(value: Node, count: Node): void {
    if (count.op === "literal") {
      const s = count.value;
      const half = 1n << (s - 1n);
      this.#get(value);
      if (value.range.hi + half <= I64.hi) {
        i64.const(half);
        i64.add();
        i64.const(s);
        i64.shr_s();
        return;
      }
    } else this.#get(value);
    const doubled = value.range.lo * 2n >= I64.lo && value.range.hi * 2n < I64.hi;
    if (doubled && count.range.lo >= 0n && count.range.hi <= 63n) {
      // floor(2a / 2^s), then half of it rounded up: the same for every s, 0 included
      i64.const(1n);
      i64.shl();
      this.#get(count);
      i64.shr_s();
      i64.const(1n);
      i64.add();
      i64.const(1n);
      i64.shr_s();
      return;
    }
    this.#get(count);
    call(roundShift);
  }

  #divide(a: Node, b: Node): void {
    const isSmall = (node: Node) => node.range.lo >= 0n && node.range.hi < 2n ** 32n;
    this.#get(a);
    if (b.range.lo <= 0n && b.range.hi >= 0n) {
      this.#get(b);
      call(unsignedDivide);
    } else if (isSmall(a) && isSmall(b)) {
      i32.wrap_i64();
      this.#get(b);
      i32.wrap_i64();
      i32.div_u();
      i64.extend_i32_u();
    } else {
      this.#get(b);
      i64.div_u();
    }
  }

  /** Leaves an i32 that is not 0 where the value is not 0. */
  #condition(predicate: Node): void {
    if (predicate.op === "eq" || predicate.op === "lt") {
      for (const arg of predicate.args) this.#get(arg);
      if (predicate.op === "eq") i64.eq();
      else i64.lt_s();
      return;
    }
    this.#get(predicate);
    i64.const(0n);
    i64.ne();
  }

  #select(node: Node, predicate: Node, a: Node, b: Node): void {
    const branchOf = (side: 1 | 2) => this.#branches.find((branch) => branch.select === node && branch.side === side);
    const [taken, other] = [branchOf(1), branchOf(2)];
    if (taken === undefined && other === undefined) {
      this.#get(a);
      this.#get(b);
      this.#condition(predicate);
      select();
      return;
    }
    const side = (branch: Branch | undefined, value: Node) => () => {
      for (const owned of this.#needed)
        if (branch !== undefined && this.#ownerOf.get(owned) === branch) this.#compute(owned);
      this.#get(value);
    };
    this.#condition(predicate);
    if_({ in: [], out: [i64] }, side(taken, a), side(other, b));
  }
}
