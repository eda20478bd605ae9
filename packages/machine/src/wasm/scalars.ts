import { BYTES } from "../program.ts";
import { mulShift, philox, roundShift, squareRoot, unsignedDivide } from "./arithmetic.ts";
import { call, i32, i64, if_, type Local, type Locals, local, select } from "./asm.ts";
import { MISSING_OFFSET, slotOffset } from "./frame.ts";
import type { Node } from "./graph.ts";
import type { Branch, Laziness } from "./laziness.ts";
import { I64 } from "./ranges.ts";
import { isAddress } from "./vectorForm.ts";

export type Counters = { r: Local<"i32">; c: Local<"i32">; k: Local<"i32"> };

/** Writes values as 64-bit scalars, each into a local of its own. */
export class ScalarEmitter {
  readonly #frame: Local<"i32">;
  readonly #locals: Locals;
  readonly #counters: Counters;
  readonly #needed: Node[];
  readonly #lazy: Laziness;
  readonly #computed = new Map<Node, Local>();

  constructor(parts: { frame: Local<"i32">; locals: Locals; counters: Counters; needed: Node[]; lazy: Laziness }) {
    this.#frame = parts.frame;
    this.#locals = parts.locals;
    this.#counters = parts.counters;
    this.#needed = parts.needed;
    this.#lazy = parts.lazy;
  }

  /** Whether a value is computed inside a branch of a select only. */
  isLazy(node: Node): boolean {
    return this.#lazy.ownerOf.has(node);
  }

  /** Takes a value from a local that was written elsewhere. */
  define(node: Node, value: Local): void {
    this.#computed.set(node, value);
  }

  /** Lets a value be computed again, where a counter has changed. */
  forget(node: Node): void {
    this.#computed.delete(node);
  }

  /** The local of an address that was computed. */
  addressOf(node: Node): Local<"i32"> {
    return this.#computed.get(node) as Local<"i32">;
  }

  /** Pushes a value that was computed, or a literal. */
  get(node: Node): void {
    if (node.op === "literal") i64.const(node.value);
    else local.get(this.#computed.get(node) as Local);
  }

  /** Computes a value once, from values that were computed before. */
  compute(node: Node): void {
    if (node.op === "literal" || this.#computed.has(node)) return;
    const result: Local = isAddress(node) ? this.#locals.i32() : this.#locals.i64();
    this.#computed.set(node, result);
    this.#push(node);
    local.set(result);
  }

  #push(node: Node): void {
    const args = () => {
      for (const arg of node.args) this.get(arg);
    };
    const [a, b, third] = node.args;
    switch (node.op) {
      case "literal":
      case "acc":
        throw new Error(`${node.op} is not computed`);
      case "slot":
        i64.load({ offset: slotOffset(node.slot), align: 8 }, this.#frame);
        return;
      case "slot32":
        i32.load({ offset: slotOffset(node.slot), align: 4 }, this.#frame);
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
        this.get(low as Node);
        this.get(high as Node);
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
    const read = () => {
      this.get(address);
      const bits = BYTES[node.type] * 8;
      if (bits === 8) i64.load8_s({ align: 1 });
      if (bits === 16) i64.load16_s({ align: 1 });
      if (bits === 32) i64.load32_s({ align: 1 });
      if (bits === 64) i64.load({ align: 1 });
    };
    if (presence === undefined) {
      read();
      return;
    }
    this.get(presence);
    i32.load8_u({});
    // where nothing was computed the memory holds anything: what follows relies on the range (a divisor that is not 0)
    if_({ in: [], out: [i64] }, read, () => {
      local.get(this.#frame);
      i32.const(1);
      i32.store({ offset: MISSING_OFFSET, align: 4 });
      i64.const(node.range.lo);
    });
  }

  #roundShift(value: Node, count: Node): void {
    if (count.op === "literal") {
      const s = count.value;
      const half = 1n << (s - 1n);
      this.get(value);
      if (value.range.hi + half <= I64.hi) {
        i64.const(half);
        i64.add();
        i64.const(s);
        i64.shr_s();
        return;
      }
    } else this.get(value);
    const doubled = value.range.lo * 2n >= I64.lo && value.range.hi * 2n < I64.hi;
    if (doubled && count.range.lo >= 0n && count.range.hi <= 63n) {
      // floor(2a / 2^s), then half of it rounded up: the same for every s, 0 included
      i64.const(1n);
      i64.shl();
      this.get(count);
      i64.shr_s();
      i64.const(1n);
      i64.add();
      i64.const(1n);
      i64.shr_s();
      return;
    }
    this.get(count);
    call(roundShift);
  }

  #divide(a: Node, b: Node): void {
    const isSmall = (node: Node) => node.range.lo >= 0n && node.range.hi < 2n ** 32n;
    this.get(a);
    if (b.range.lo <= 0n && b.range.hi >= 0n) {
      this.get(b);
      call(unsignedDivide);
    } else if (isSmall(a) && isSmall(b)) {
      i32.wrap_i64();
      this.get(b);
      i32.wrap_i64();
      i32.div_u();
      i64.extend_i32_u();
    } else {
      this.get(b);
      i64.div_u();
    }
  }

  /** Leaves an i32 that is not 0 where the value is not 0. */
  #condition(predicate: Node): void {
    if (predicate.op === "eq" || predicate.op === "lt") {
      for (const arg of predicate.args) this.get(arg);
      if (predicate.op === "eq") i64.eq();
      else i64.lt_s();
      return;
    }
    this.get(predicate);
    i64.const(0n);
    i64.ne();
  }

  #select(node: Node, predicate: Node, a: Node, b: Node): void {
    const branchOf = (side: 1 | 2) =>
      this.#lazy.branches.find((branch) => branch.select === node && branch.side === side);
    const [taken, other] = [branchOf(1), branchOf(2)];
    if (taken === undefined && other === undefined) {
      this.get(a);
      this.get(b);
      this.#condition(predicate);
      select();
      return;
    }
    const side = (branch: Branch | undefined, value: Node) => () => {
      for (const owned of this.#needed)
        if (branch !== undefined && this.#lazy.ownerOf.get(owned) === branch) this.compute(owned);
      this.get(value);
    };
    this.#condition(predicate);
    if_({ in: [], out: [i64] }, side(taken, a), side(other, b));
  }
}
