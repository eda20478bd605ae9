import { i8x16, i32, i32x4, i64x2, type Local, type Locals, local } from "../asm.ts";
import type { Node } from "../graph.ts";
import { isAddress, isNarrow, type VectorLoop } from "../vectorForm.ts";

export type Vector = Local<"v128">;
/** Two vectors of two 64-bit lanes. */
export type Wide = { low: Vector; high: Vector };
/** Four values: as 32-bit lanes where the range allows it, else two vectors of 64-bit lanes. */
export type Lanes = { bits: 32; all: Vector } | ({ bits: 64 } & Wide);
export type Counters = { r: Local<"i32">; c: Local<"i32">; k: Local<"i32"> };

export const LOW_WORDS = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27] as const;
export const HIGH_WORDS = LOW_WORDS.map((byte) => byte + 4);
export const HALVES = ["low", "high"] as const;

export type LanesParts = {
  locals: Locals;
  loop: VectorLoop;
  counters: Counters;
  /** Pushes a value from outside the loop: an i64, or an i32 for an address. */
  scalar: (node: Node) => void;
};

/** The values of one turn of four iterations, each in locals of its own. */
export class LaneValues {
  readonly locals: Locals;
  readonly loop: VectorLoop;
  readonly counters: Counters;
  readonly scalar: (node: Node) => void;
  /** All ones in the 32-bit lanes whose value is not 0, where somebody asked. */
  readonly masks = new Map<Node, Vector>();
  readonly #known = new Map<Node, Lanes>();

  constructor({ locals, loop, counters, scalar }: LanesParts) {
    this.locals = locals;
    this.loop = loop;
    this.counters = counters;
    this.scalar = scalar;
  }

  has(node: Node): boolean {
    return this.#known.has(node);
  }

  /** Spreads a value that does not change in the loop over the lanes. */
  spread(node: Node): void {
    const result = this.locals.v128();
    this.scalar(node);
    const isSingle = isAddress(node) || isNarrow(node);
    if (isAddress(node)) i32x4.splat();
    else if (isNarrow(node)) {
      i32.wrap_i64();
      i32x4.splat();
    } else i64x2.splat();
    local.set(result);
    this.#known.set(node, isSingle ? { bits: 32, all: result } : { bits: 64, low: result, high: result });
  }

  lanes(node: Node): Lanes {
    const known = this.#known.get(node);
    if (known === undefined) throw new Error(`${node.op} was not computed`);
    return known;
  }

  /** Takes a node's value, as 32-bit lanes, from the stack. */
  set32(node: Node): void {
    const all = this.locals.v128();
    local.set(all);
    this.#known.set(node, { bits: 32, all });
  }

  /** Takes a node's value as 64-bit lanes, one half after the other; keeps 32 bits of it where that is all. */
  setWide(node: Node, push: (half: "low" | "high") => void): void {
    const halves = this.wideTemporary(push);
    if (!isNarrow(node)) {
      this.#known.set(node, { bits: 64, ...halves });
      return;
    }
    this.pushWords(halves, LOW_WORDS);
    this.set32(node);
  }

  /** Pushes the low 32 bits of each value; enough for an operation whose result is narrow and needs no more of its operands. */
  push32(node: Node): void {
    const lanes = this.lanes(node);
    if (lanes.bits === 32) local.get(lanes.all);
    else this.pushWords(lanes, LOW_WORDS);
  }

  /** The values as 64-bit lanes. */
  wide(node: Node): Wide {
    const lanes = this.lanes(node);
    if (lanes.bits === 64) return lanes;
    return this.wideTemporary((half) => {
      if (half === "low") i64x2.extend_low_i32x4_s(lanes.all);
      else i64x2.extend_high_i32x4_s(lanes.all);
    });
  }

  /** Pushes four words of two vectors: all low ones or all high ones. */
  pushWords({ low, high }: Wide, words: readonly number[]): void {
    local.get(low);
    local.get(high);
    i8x16.shuffle([...words] as Parameters<typeof i8x16.shuffle>[0]);
  }

  /** Two fresh vectors, each from what is pushed for it. */
  wideTemporary(push: (half: "low" | "high") => void): Wide {
    const halves = { low: this.locals.v128(), high: this.locals.v128() };
    for (const half of HALVES) {
      push(half);
      local.set(halves[half]);
    }
    return halves;
  }
}
