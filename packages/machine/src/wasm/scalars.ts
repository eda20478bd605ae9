import { BYTES } from "../program.ts";
import { i32, i64, if_, type Local, type Locals, local, select } from "./asm.ts";
import { MISSING_OFFSET, slotOffset } from "./frame.ts";
import type { Node } from "./graph.ts";
import type { Branch, Laziness } from "./laziness.ts";
import { pushCondition, pushOperation } from "./scalarOperations.ts";
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

  /** Another one that has the values computed so far, for other iterations of the loops inside. */
  fork(counters: Counters): ScalarEmitter {
    const [frame, locals, needed, lazy] = [this.#frame, this.#locals, this.#needed, this.#lazy];
    const forked = new ScalarEmitter({ frame, locals, counters, needed, lazy });
    for (const [node, value] of this.#computed) forked.#computed.set(node, value);
    return forked;
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
      case "select":
        this.#select(node);
        return;
      default:
        pushOperation(node.op, node.args, (arg) => this.get(arg));
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

  #select(node: Node): void {
    const [predicate, a, b] = node.args as [Node, Node, Node];
    const branchOf = (side: 1 | 2) =>
      this.#lazy.branches.find((branch) => branch.select === node && branch.side === side);
    const [taken, other] = [branchOf(1), branchOf(2)];
    if (taken === undefined && other === undefined) {
      this.get(a);
      this.get(b);
      pushCondition(predicate, (arg) => this.get(arg));
      select();
      return;
    }
    const side = (branch: Branch | undefined, value: Node) => () => {
      for (const owned of this.#needed)
        if (branch !== undefined && this.#lazy.ownerOf.get(owned) === branch) this.compute(owned);
      this.get(value);
    };
    pushCondition(predicate, (arg) => this.get(arg));
    if_({ in: [], out: [i64] }, side(taken, a), side(other, b));
  }
}
