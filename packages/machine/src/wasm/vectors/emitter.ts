import type { ElementType } from "../../program.ts";
import { i32x4, i64x2, type Local, local, v128 } from "../asm.ts";
import { isFloatable, type Node, normalised } from "../graph.ts";
import { isShiftedLeft, isShiftedRight, powerOfDivision } from "../vectorForm.ts";
import { emitAddress, emitExtremum, emitLanewise, emitProduct } from "./arithmetic.ts";
import { emitBitLength, emitNormalised } from "./bitLengths.ts";
import { emitByLanes, extractedLane } from "./byLanes.ts";
import { emitComparison, emitSelect, pushMask } from "./comparisons.ts";
import { type LanesParts, LaneValues, type Vector, type Wide } from "./lanes.ts";
import { emitLoad } from "./loads.ts";
import { emitNarrowLimbs, narrowLimbsOf, type SpreadLimbs, spreadNarrowLimbs } from "./narrowLimbs.ts";
import { emitNeighbours, type Neighbours, neighboursOf } from "./neighbours.ts";
import { emitPhilox } from "./philox.ts";
import { emitLimbProduct, limbsOf } from "./products.ts";
import { emitPowerDivision, emitShiftLeft, emitShiftRight, spreadHalf } from "./shifts.ts";
import { emitScatter, emitScatter32, emitStore } from "./stores.ts";

/** Writes the values of one turn of four iterations. */
export class VectorEmitter {
  readonly #values: LaneValues;
  readonly #limbs = new Map<Node, SpreadLimbs>();

  #neighbours = new Map<Node, Neighbours>();
  readonly #halves = new Map<Node, Vector>();

  constructor(parts: LanesParts) {
    this.#values = new LaneValues(parts);
  }

  /** Before the loop: spreads what `inside` needs from outside it. */
  prepare({ inside, outside }: { inside: readonly Node[]; outside: readonly Node[] }): void {
    for (const node of outside) this.#values.spread(node);
    this.#neighbours = neighboursOf(inside, this.#values.loop);
    for (const node of inside) {
      const limbs = node.op === "mulshr" ? narrowLimbsOf(node, this.#values.loop) : undefined;
      if (limbs !== undefined) this.#limbs.set(node, spreadNarrowLimbs(this.#values, limbs));
      if (node.op === "shr" && isShiftedRight(node, this.#values.loop))
        this.#halves.set(node, spreadHalf(this.#values, node));
    }
  }

  /** Gives a value that was computed elsewhere, as 32-bit lanes or as two vectors of 64-bit lanes. */
  define(node: Node, lanes: { all: Vector } | Wide): void {
    if ("all" in lanes) {
      local.get(lanes.all);
      this.#values.set32(node);
    } else this.#values.setWide(node, (half) => local.get(lanes[half]));
  }

  /** Computes a value once, from values that were computed before. */
  compute(node: Node): void {
    const values = this.#values;
    if (values.has(node)) return;
    switch (node.op) {
      case "r":
      case "c":
      case "k":
        i32x4.splat(values.counters[node.op]);
        if (node.op === values.loop.variable) {
          v128.const("i32x4", [0, 1, 2, 3]);
          i32x4.add();
        }
        values.set32(node);
        return;
      case "load": {
        const pair = this.#neighbours.get(node);
        if (pair === undefined) emitLoad(values, node);
        else emitNeighbours(values, pair);
        return;
      }
      case "wrap":
      case "add32":
      case "mul32":
      case "scale32":
        emitAddress(values, node);
        return;
      case "add":
        emitLanewise(values, node, [() => i32x4.add(), () => i64x2.add()]);
        return;
      case "sub":
        emitLanewise(values, node, [() => i32x4.sub(), () => i64x2.sub()]);
        return;
      case "and":
      case "or":
      case "xor": {
        const { op } = node;
        emitLanewise(values, node, [() => v128[op](), () => v128[op]()]);
        return;
      }
      case "mul":
        emitProduct(values, node);
        return;
      case "min":
      case "max":
        emitExtremum(values, node, node.op);
        return;
      case "eq":
      case "lt":
        emitComparison(values, node);
        return;
      case "select":
        emitSelect(values, node);
        return;
      case "shl":
        this.#shiftLeft(node);
        return;
      case "shr": {
        const half = this.#halves.get(node);
        if (half === undefined) emitByLanes(values, node, "shr");
        else emitShiftRight(values, node, half);
        return;
      }
      case "udiv": {
        const power = powerOfDivision(node);
        if (power === undefined) emitByLanes(values, node, "udiv");
        else emitPowerDivision(values, node, power);
        return;
      }
      case "mulshr":
        this.#multiplyAndShift(node);
        return;
      case "philox":
        emitPhilox(values, node);
        return;
      case "bitlen":
        if (isFloatable(node.args[0] as Node)) emitBitLength(values, node);
        else emitByLanes(values, node, "bitlen");
        return;
      case "isqrt":
        emitByLanes(values, node, "isqrt");
        return;
      case "literal":
      case "slot":
      case "slot32":
      case "acc":
        throw new Error(`${node.op} is not computed in a loop`);
      default:
        node satisfies never;
    }
  }

  #shiftLeft(node: Node): void {
    const found = normalised(node);
    if (isShiftedLeft(node, this.#values.loop)) emitShiftLeft(this.#values, node);
    else if (found === undefined) emitByLanes(this.#values, node, "shl");
    else emitNormalised(this.#values, node, found);
  }

  #multiplyAndShift(node: Node): void {
    const narrow = narrowLimbsOf(node, this.#values.loop);
    const spread = this.#limbs.get(node);
    const limbs = limbsOf(node, this.#values.loop);
    if (narrow !== undefined && spread !== undefined) emitNarrowLimbs(this.#values, node, narrow, spread);
    else if (limbs !== undefined) emitLimbProduct(this.#values, node, limbs);
    else emitByLanes(this.#values, node, "mulshr");
  }

  /** Stores the four values of a node, saturated, where `address` pushes the first one's. */
  store(node: Node, type: ElementType, address: () => void): void {
    emitStore(this.#values, node, type, address);
  }

  /** Stores the four values of a node, saturated, each at its own address. */
  scatter(node: Node, type: ElementType, address: Node): void {
    emitScatter(this.#values, node, type, address);
  }

  /** Stores four 32-bit lanes, each at its own address. */
  scatterIndices(lanes: Vector, address: Node): void {
    emitScatter32(this.#values, lanes, address);
  }

  /** Adds the four values to two vectors of 64-bit sums. */
  addTo(node: Node, sums: Wide): void {
    const { low, high } = this.#values.wide(node);
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
    this.#values.push32(node);
  }

  /** The four values as 64-bit lanes. */
  wide(node: Node): Wide {
    return this.#values.wide(node);
  }

  /** Pushes all ones in the 32-bit lanes whose value is not 0. A comparison's value need not have been computed. */
  pushMask(node: Node): void {
    pushMask(this.#values, node);
  }

  /** Pushes four words of two vectors. */
  pushWords(wide: Wide, words: readonly number[]): void {
    this.#values.pushWords(wide, words);
  }

  /** A lane's value, in a local. */
  lane(node: Node, lane: number): Local<"i64"> {
    return extractedLane(this.#values, node, lane);
  }
}
