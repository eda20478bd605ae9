import type { ElementType } from "../program.ts";
import { i8x16, i16x8, i32, i32x4, i64, i64x2, type Local, type Locals, local, v128 } from "./asm.ts";
import type { Node } from "./graph.ts";
import { ofType, type Range, range, within } from "./ranges.ts";
import { isAddress, isNarrow, log2, runOf, type VectorLoop } from "./vectorForm.ts";

type Vector = Local<"v128">;
/** Four values: as 32-bit lanes where the range allows it, else two vectors of 64-bit lanes. */
type Lanes = { bits: 32; all: Vector } | { bits: 64; low: Vector; high: Vector };

const I32: Range = ofType.i32;
const LOW_WORDS = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27] as const;
const HIGH_WORDS = LOW_WORDS.map((byte) => byte + 4);

/** Writes the values of one turn of four iterations. */
export class VectorEmitter {
  readonly #locals: Locals;
  readonly #loop: VectorLoop;
  readonly #counter: Local<"i32">;
  /** Pushes a value from outside the loop: an i64, or an i32 for an address. */
  readonly #scalar: (node: Node) => void;
  readonly #known = new Map<Node, Lanes>();
  readonly #masks = new Map<Node, Vector>();

  constructor(parts: { locals: Locals; loop: VectorLoop; counter: Local<"i32">; scalar: (node: Node) => void }) {
    this.#locals = parts.locals;
    this.#loop = parts.loop;
    this.#counter = parts.counter;
    this.#scalar = parts.scalar;
  }

  /** Spreads a value that does not change in the loop over the lanes. */
  spread(node: Node): void {
    const result = this.#locals.v128();
    this.#scalar(node);
    if (isAddress(node)) i32x4.splat();
    else if (isNarrow(node)) {
      i32.wrap_i64();
      i32x4.splat();
    } else i64x2.splat();
    local.set(result);
    const isSingle = isAddress(node) || isNarrow(node);
    this.#known.set(node, isSingle ? { bits: 32, all: result } : { bits: 64, low: result, high: result });
  }

  /** Gives a value that was computed elsewhere, as two vectors of 64-bit lanes. */
  define(node: Node, { low, high }: { low: Vector; high: Vector }): void {
    this.#setWide(node, (half) => local.get(half === "low" ? low : high));
  }

  compute(node: Node): void {
    if (this.#known.has(node)) return;
    const [a, b, c] = node.args as [Node, Node, Node];
    switch (node.op) {
      case "c":
      case "k":
        i32x4.splat(this.#counter);
        v128.const("i32x4", [0, 1, 2, 3]);
        i32x4.add();
        this.#set32(node);
        return;
      case "load":
        this.#load(node, node.type);
        return;
      case "wrap":
        this.#push32(a);
        this.#set32(node);
        return;
      case "add32":
        this.#push32(a);
        this.#push32(b);
        i32x4.add();
        this.#set32(node);
        return;
      case "mul32":
        this.#push32(a);
        this.#push32(b);
        i32x4.mul();
        this.#set32(node);
        return;
      case "scale32": {
        this.#push32(a);
        const power = log2(BigInt(node.factor));
        if (power === undefined) {
          i32.const(node.factor);
          i32x4.splat();
          i32x4.mul();
        } else {
          i32.const(power);
          i32x4.shl();
        }
        this.#set32(node);
        return;
      }
      case "add":
      case "sub":
        this.#lanewise(
          node,
          a,
          b,
          () => i32x4[node.op as "add"](),
          () => i64x2[node.op as "add"](),
        );
        return;
      case "mul":
        this.#multiply(node, a, b);
        return;
      case "and":
      case "or":
      case "xor":
        this.#lanewise(
          node,
          a,
          b,
          () => v128[node.op as "and"](),
          () => v128[node.op as "and"](),
        );
        return;
      case "min":
      case "max":
        this.#extremum(node, a, b);
        return;
      case "eq":
      case "lt":
        this.#mask(node);
        v128.const("i32x4", [1, 1, 1, 1]);
        v128.and();
        this.#set32(node);
        return;
      case "select":
        this.#select(node, [a, b, c]);
        return;
      case "shl":
        this.#shiftLeft(node, a, b);
        return;
      case "shr":
        this.#shiftRight(node, a, b);
        return;
      case "udiv":
        this.#divide(node, a, log2((b as Node & { op: "literal" }).value) as number);
        return;
      default:
        throw new Error(`${node.op} has no vector form`);
    }
  }

  /** Stores the four values of a node, saturated, from the address on the stack. */
  store(node: Node, type: ElementType, address: () => void): void {
    const limits = ofType[type];
    if (type === "i64") {
      const { low, high } = this.#wide(node);
      address();
      local.get(low);
      v128.store({ align: 1 });
      address();
      local.get(high);
      v128.store({ align: 1, offset: 16 });
      return;
    }
    address();
    if (isNarrow(node)) this.#push32(node);
    else {
      const { low, high } = this.#wide(node);
      const clamped = [low, high].map((half) => {
        const result = this.#locals.v128();
        local.get(half);
        for (const [bound, isUpper] of [
          [limits.hi, true],
          [limits.lo, false],
        ] as const) {
          local.set(result);
          i64.const(bound);
          i64x2.splat();
          local.get(result);
          if (isUpper) this.#smaller64();
          else this.#larger64();
        }
        local.set(result);
        return result;
      });
      this.#pushWords(clamped[0] as Vector, clamped[1] as Vector, LOW_WORDS);
    }
    const packed = this.#locals.v128();
    if (type === "i32") {
      v128.store({ align: 1 });
      return;
    }
    local.set(packed);
    local.get(packed);
    local.get(packed);
    i16x8.narrow_i32x4_s();
    if (type === "i16") {
      v128.store64_lane({ align: 1 }, 0);
      return;
    }
    local.set(packed);
    local.get(packed);
    local.get(packed);
    i8x16.narrow_i16x8_s();
    v128.store32_lane({ align: 1 }, 0);
  }

  /** Adds the four values to two vectors of 64-bit sums. */
  addTo(node: Node, sums: { low: Vector; high: Vector }): void {
    const { low, high } = this.#wide(node);
    for (const [sum, half] of [
      [sums.low, low],
      [sums.high, high],
    ] as const) {
      local.get(sum);
      local.get(half);
      i64x2.add();
      local.set(sum);
    }
  }

  /** Pushes the four values as 32-bit lanes. The node must be narrow. */
  push32(node: Node): void {
    this.#push32(node);
  }

  #set32(node: Node): void {
    const all = this.#locals.v128();
    local.set(all);
    this.#known.set(node, { bits: 32, all });
  }

  #setWide(node: Node, half: (which: "low" | "high") => void): void {
    const low = this.#locals.v128();
    const high = this.#locals.v128();
    half("low");
    local.set(low);
    half("high");
    local.set(high);
    if (!isNarrow(node)) {
      this.#known.set(node, { bits: 64, low, high });
      return;
    }
    this.#pushWords(low, high, LOW_WORDS);
    this.#set32(node);
  }

  #lanes(node: Node): Lanes {
    const known = this.#known.get(node);
    if (known === undefined) throw new Error(`${node.op} was not computed`);
    return known;
  }

  /** The low 32 bits of each value; enough for an operation whose result is narrow and needs no more of its operands. */
  #push32(node: Node): void {
    const lanes = this.#lanes(node);
    if (lanes.bits === 32) local.get(lanes.all);
    else this.#pushWords(lanes.low, lanes.high, LOW_WORDS);
  }

  #wide(node: Node): { low: Vector; high: Vector } {
    const lanes = this.#lanes(node);
    if (lanes.bits === 64) return lanes;
    const [low, high] = [this.#locals.v128(), this.#locals.v128()];
    i64x2.extend_low_i32x4_s(lanes.all);
    local.set(low);
    i64x2.extend_high_i32x4_s(lanes.all);
    local.set(high);
    return { low, high };
  }

  #pushWords(low: Vector, high: Vector, words: readonly number[]): void {
    local.get(low);
    local.get(high);
    i8x16.shuffle([...words] as Parameters<typeof i8x16.shuffle>[0]);
  }

  #lanewise(node: Node, a: Node, b: Node, narrow: () => void, wide: () => void): void {
    if (isNarrow(node)) {
      this.#push32(a);
      this.#push32(b);
      narrow();
      this.#set32(node);
      return;
    }
    const [x, y] = [this.#wide(a), this.#wide(b)];
    this.#setWide(node, (half) => {
      local.get(x[half]);
      local.get(y[half]);
      wide();
    });
  }

  #multiply(node: Node, a: Node, b: Node): void {
    const [x, y] = [this.#lanes(a), this.#lanes(b)];
    if (isNarrow(node) || x.bits === 64 || y.bits === 64) {
      this.#lanewise(
        node,
        a,
        b,
        () => i32x4.mul(),
        () => i64x2.mul(),
      );
      return;
    }
    this.#setWide(node, (half) => {
      local.get(x.all);
      local.get(y.all);
      if (half === "low") i64x2.extmul_low_i32x4_s();
      else i64x2.extmul_high_i32x4_s();
    });
  }

  #extremum(node: Node, a: Node, b: Node): void {
    if (isNarrow(a) && isNarrow(b)) {
      this.#push32(a);
      this.#push32(b);
      if (node.op === "min") i32x4.min_s();
      else i32x4.max_s();
      this.#set32(node);
      return;
    }
    const [x, y] = [this.#wide(a), this.#wide(b)];
    this.#setWide(node, (half) => {
      local.get(x[half]);
      local.get(y[half]);
      if (node.op === "min") this.#smaller64();
      else this.#larger64();
    });
  }

  #smaller64(): void {
    this.#choose64((a, b) => {
      local.get(b);
      local.get(a);
    });
  }

  #larger64(): void {
    this.#choose64((a, b) => {
      local.get(a);
      local.get(b);
    });
  }

  /** Takes two vectors; gives a where the first that is pushed is greater than the second, else b. */
  #choose64(compared: (a: Vector, b: Vector) => void): void {
    const [a, b] = [this.#locals.v128(), this.#locals.v128()];
    local.set(b);
    local.set(a);
    local.get(a);
    local.get(b);
    compared(a, b);
    i64x2.gt_s();
    v128.bitselect();
  }

  /** All ones in the 32-bit lanes whose value is not 0. */
  #mask(node: Node): void {
    const known = this.#masks.get(node);
    if (known !== undefined) {
      local.get(known);
      return;
    }
    const [a, b] = node.args;
    const isInside = node.level >= this.#loop.level;
    if (isInside && (node.op === "eq" || node.op === "lt") && a !== undefined && b !== undefined) {
      if (isNarrow(a) && isNarrow(b)) {
        this.#push32(a);
        this.#push32(b);
        if (node.op === "eq") i32x4.eq();
        else i32x4.lt_s();
      } else {
        const [x, y] = [this.#wide(a), this.#wide(b)];
        const halves = (["low", "high"] as const).map((half) => {
          const result = this.#locals.v128();
          local.get(y[half]);
          local.get(x[half]);
          if (node.op === "eq") i64x2.eq();
          else i64x2.gt_s();
          local.set(result);
          return result;
        });
        this.#pushWords(halves[0] as Vector, halves[1] as Vector, LOW_WORDS);
      }
    } else if (isNarrow(node)) {
      this.#push32(node);
      v128.const("i32x4", [0, 0, 0, 0]);
      i32x4.ne();
    } else {
      const { low, high } = this.#wide(node);
      const halves = [low, high].map((half) => {
        const result = this.#locals.v128();
        local.get(half);
        v128.const("i64x2", [0n, 0n]);
        i64x2.ne();
        local.set(result);
        return result;
      });
      this.#pushWords(halves[0] as Vector, halves[1] as Vector, LOW_WORDS);
    }
    const mask = this.#locals.v128();
    local.tee(mask);
    this.#masks.set(node, mask);
  }

  #select(node: Node, [predicate, a, b]: [Node, Node, Node]): void {
    const mask = this.#locals.v128();
    if (isNarrow(node)) {
      this.#mask(predicate);
      local.set(mask);
      this.#push32(a);
      this.#push32(b);
      local.get(mask);
      v128.bitselect();
      this.#set32(node);
      return;
    }
    this.#mask(predicate);
    local.set(mask);
    const [x, y] = [this.#wide(a), this.#wide(b)];
    this.#setWide(node, (half) => {
      local.get(x[half]);
      local.get(y[half]);
      local.get(mask);
      if (half === "low") i64x2.extend_low_i32x4_s();
      else i64x2.extend_high_i32x4_s();
      v128.bitselect();
    });
  }

  /** The count as an i32, which is the same for all lanes. */
  #pushCount(count: Node): void {
    this.#scalar(count);
    i32.wrap_i64();
  }

  #shiftLeft(node: Node, value: Node, count: Node): void {
    if (isNarrow(node) && count.range.hi < 32n) {
      this.#push32(value);
      this.#pushCount(count);
      i32x4.shl();
      this.#set32(node);
      return;
    }
    const x = this.#wide(value);
    this.#setWide(node, (half) => {
      local.get(x[half]);
      this.#pushCount(count);
      i64x2.shl();
    });
  }

  #shiftRight(node: Node, value: Node, count: Node): void {
    if (count.op !== "literal") {
      this.#shiftByCount(node, value, count);
      return;
    }
    const s = Number(count.value);
    const half = 1n << BigInt(s - 1);
    if (isNarrow(value) && value.range.hi + half <= I32.hi && s < 32) {
      this.#push32(value);
      i32.const(Number(half));
      i32x4.splat();
      i32x4.add();
      i32.const(s);
      i32x4.shr_s();
      this.#set32(node);
      return;
    }
    const x = this.#wide(value);
    const rounded = (which: "low" | "high") => {
      local.get(x[which]);
      i64.const(half);
      i64x2.splat();
      i64x2.add();
    };
    if (!isNarrow(node)) {
      this.#setWide(node, (which) => {
        rounded(which);
        i32.const(s);
        i64x2.shr_s();
      });
      return;
    }
    // a narrow result needs no 64-bit arithmetic shift, which few processors have
    const [low, high] = [this.#locals.v128(), this.#locals.v128()];
    rounded("low");
    local.set(low);
    rounded("high");
    local.set(high);
    if (s <= 32)
      for (const word of [low, high]) {
        local.get(word);
        i32.const(s);
        i64x2.shr_u();
        local.set(word);
      }
    this.#pushWords(low, high, s <= 32 ? LOW_WORDS : HIGH_WORDS);
    if (s > 32) {
      i32.const(s - 32);
      i32x4.shr_s();
    }
    this.#set32(node);
  }

  /** floor(2a / 2^s), then half of it rounded up: the same for every s, 0 included. */
  #shiftByCount(node: Node, value: Node, count: Node): void {
    const doubled = range(value.range.lo * 2n, value.range.hi * 2n + 1n);
    const one = () => i32.const(1);
    if (within(doubled, I32) && count.range.hi < 32n) {
      this.#push32(value);
      one();
      i32x4.shl();
      this.#pushCount(count);
      i32x4.shr_s();
      v128.const("i32x4", [1, 1, 1, 1]);
      i32x4.add();
      one();
      i32x4.shr_s();
      this.#set32(node);
      return;
    }
    const x = this.#wide(value);
    this.#setWide(node, (half) => {
      local.get(x[half]);
      one();
      i64x2.shl();
      this.#pushCount(count);
      i64x2.shr_s();
      v128.const("i64x2", [1n, 1n]);
      i64x2.add();
      one();
      i64x2.shr_s();
    });
  }

  #divide(node: Node, value: Node, power: number): void {
    if (isNarrow(value)) {
      this.#push32(value);
      i32.const(power);
      i32x4.shr_u();
      this.#set32(node);
      return;
    }
    const x = this.#wide(value);
    this.#setWide(node, (half) => {
      local.get(x[half]);
      i32.const(power);
      i64x2.shr_u();
    });
  }

  #load(node: Node, type: ElementType): void {
    const run = runOf(node, this.#loop);
    if (run === undefined) {
      this.#gather(node, type);
      return;
    }
    const address = this.#locals.i32();
    this.#scalar(run);
    local.get(this.#counter);
    if (type !== "i8") {
      i32.const(type === "i16" ? 1 : type === "i32" ? 2 : 3);
      i32.shl();
    }
    i32.add();
    local.set(address);
    if (type === "i64") {
      this.#setWide(node, (half) => {
        v128.load({ align: 1, offset: half === "low" ? 0 : 16 }, address);
      });
      return;
    }
    if (type === "i8") {
      v128.load32_zero({ align: 1 }, address);
      i16x8.extend_low_i8x16_s();
      i32x4.extend_low_i16x8_s();
    } else if (type === "i16") v128.load16x4_s({ align: 1 }, address);
    else v128.load({ align: 1 }, address);
    this.#set32(node);
  }

  /** Loads each lane from its own address. */
  #gather(node: Node, type: ElementType): void {
    const addresses = this.#locals.v128();
    this.#push32(node.args[0] as Node);
    local.set(addresses);
    const lane = (at: 0 | 1 | 2 | 3) => {
      i32x4.extract_lane(at, addresses);
      if (type === "i8") i32.load8_s({});
      if (type === "i16") i32.load16_s({ align: 1 });
      if (type === "i32") i32.load({ align: 1 });
      if (type === "i64") i64.load({ align: 1 });
    };
    if (type === "i64") {
      this.#setWide(node, (half) => {
        lane(half === "low" ? 0 : 2);
        i64x2.splat();
        lane(half === "low" ? 1 : 3);
        i64x2.replace_lane(1);
      });
      return;
    }
    lane(0);
    i32x4.splat();
    for (const at of [1, 2, 3] as const) {
      lane(at);
      i32x4.replace_lane(at);
    }
    this.#set32(node);
  }
}
