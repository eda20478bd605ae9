import { BYTES } from "../program.ts";
import {
  drop,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64x2,
  if_,
  type Local,
  type Locals,
  local,
  loopWhileBelow,
  v128,
} from "./asm.ts";
import type { RunForm } from "./runDot.ts";

/** Columns that a block computes together. */
export const BLOCK_COLUMNS = 4;
/** Turns of a fixed axis that are written out one after the other. */
const MOST_UNROLLED = 16;
/**
 * So much of the beginning of a long run is asked for before it is read: a processor fetches ahead only when it has seen
 * some of a run, and waits for each line until then. Measured at 128 to 1,024 bytes a run; more does not pay.
 */
const TOUCHED_BYTES = 384;
/** Of a cache. */
export const LINE_BYTES = 64;
/** Products of a turn for each element of a block. */
const TERMS = 8;

type Address = Local<"i32">;
type Vector = Local<"v128">;

/**
 * Where the runs of a block begin: by line and column, one list where all lines have the same, one address in a list where
 * all columns have the same. The addresses are used up.
 */
export type BlockRuns = { left: Address[][]; right: Address[][] };
/** Sums of the four columns of a line: 32-bit lanes, or 64-bit lanes with columns 0 and 1 in `low`. */
export type BlockSums = { all: Vector } | { low: Vector; high: Vector };

/**
 * Sums of a block of `lines` times four elements, each a dot of two runs of `count` terms, of which there are at most
 * `most`; `fixed`: always so many. Each run is loaded once for all elements that use it.
 */
export function emitBlockDot(
  locals: Locals,
  form: RunForm,
  at: BlockRuns & { lines: number; count: Address; most: number; isFixed: boolean },
): BlockSums[] {
  const { lines, count, most, isFixed } = at;
  const block = new Block(locals, form, at, lines);
  const turns = Math.ceil(most / TERMS);
  if (turns <= form.turns) {
    block.clear();
    if (isFixed && turns <= MOST_UNROLLED) {
      for (let turn = 0; turn < Math.floor(most / TERMS); turn++) block.turn(turn);
      if (most % TERMS !== 0) block.rest(Math.floor(most / TERMS), () => i32.const(most % TERMS));
    } else {
      const [k, whole] = wholeTurns(locals, count);
      block.touch(count);
      block.turnsBelow(k, whole);
      block.restOf(count, whole);
    }
    return block.sums(form.turns / turns);
  }
  return block.flushed(() => {
    const [k, whole] = wholeTurns(locals, count);
    const stop = locals.i32();
    loopWhileBelow(k, whole, 0, () => {
      local.set(stop, i32.add(k, form.turns * TERMS));
      i32.lt_u(whole, stop);
      if_(null, () => {
        local.set(stop, whole);
      });
      block.clear();
      block.turnsBelow(k, stop);
      block.flush();
    });
    block.clear();
    block.restOf(count, whole);
    block.flush();
  });
}

function wholeTurns(locals: Locals, count: Address): [Address, Address] {
  const [k, whole] = [locals.i32(), locals.i32()];
  local.set(whole, i32.and(count, -TERMS));
  local.set(k, i32.const(0));
  return [k, whole];
}

class Block {
  readonly #locals: Locals;
  readonly #sides: { left: { type: "i8" | "i16"; at: Address[][] }; right: { type: "i8" | "i16"; at: Address[][] } };
  /** By line: lanes of the four columns. */
  readonly #lanes: Vector[][];
  readonly #loaded = new Map<Address, Vector>();
  #wide: { low: Vector; high: Vector }[] = [];

  constructor(locals: Locals, { left, right }: RunForm, at: BlockRuns, lines: number) {
    this.#locals = locals;
    this.#sides = { left: { type: left, at: at.left }, right: { type: right, at: at.right } };
    this.#lanes = Array.from({ length: lines }, () => Array.from({ length: BLOCK_COLUMNS }, () => locals.v128()));
    for (const list of [...at.left, ...at.right])
      for (const address of list) if (!this.#loaded.has(address)) this.#loaded.set(address, locals.v128());
  }

  clear(): void {
    for (const lane of this.#lanes.flat()) zero(lane);
  }

  /** Has the memory fetch the beginnings of the runs that the columns do not share, all at once. */
  touch(count: Address): void {
    const [offset, end, line] = [this.#locals.i32(), this.#locals.i32(), this.#locals.i32()];
    for (const { type, at } of Object.values(this.#sides)) {
      const streams = [...new Set(at.filter((list) => list.length > 1).flat())];
      if (streams.length === 0) continue;
      local.set(end, i32.mul(count, BYTES[type]));
      i32.lt_u(TOUCHED_BYTES, end);
      if_(null, () => {
        local.set(end, i32.const(TOUCHED_BYTES));
      });
      local.set(offset, i32.const(0));
      loopWhileBelow(offset, end, LINE_BYTES, () => {
        for (const address of streams) {
          local.set(line, i32.add(address, offset));
          i32.load({ align: 1 }, line);
          drop();
        }
      });
    }
  }

  /** Eight products of each element; `mask` leaves as many terms of the left side as there are. */
  turn(turn: number, mask?: Vector): void {
    const ready = new Set<Address>();
    const push = (side: "left" | "right", line: number, column: number) => {
      const { type, at } = this.#sides[side];
      const list = at[at.length === 1 ? 0 : line] as Address[];
      const address = list[list.length === 1 ? 0 : column] as Address;
      const vector = this.#loaded.get(address) as Vector;
      if (!ready.has(address)) {
        const offset = turn * TERMS * BYTES[type];
        if (type === "i8") v128.load8x8_s({ align: 1, offset }, address);
        else v128.load({ align: 1, offset }, address);
        if (side === "left" && mask !== undefined) {
          local.get(mask);
          v128.and();
        }
        local.set(vector);
        ready.add(address);
      }
      local.get(vector);
    };
    for (let column = 0; column < BLOCK_COLUMNS; column++)
      for (const [line, lanes] of this.#lanes.entries()) {
        const lane = lanes[column] as Vector;
        push("left", line, column);
        push("right", line, column);
        i32x4.dot_i16x8_s();
        local.get(lane);
        i32x4.add();
        local.set(lane);
      }
  }

  /** Whole turns from k up to `stop`, two at a time while there are two. */
  turnsBelow(k: Address, stop: Address): void {
    // one turn first where their number is odd
    i32.and(i32.sub(stop, k), TERMS);
    if_(null, () => {
      this.turn(0);
      this.#advance(1);
      local.set(k, i32.add(k, TERMS));
    });
    loopWhileBelow(k, stop, 2 * TERMS, () => {
      this.turn(0);
      this.turn(1);
      this.#advance(2);
    });
  }

  /** The terms after the last whole turn. */
  restOf(count: Address, whole: Address): void {
    const rest = this.#locals.i32();
    i32.sub(count, whole);
    local.tee(rest);
    if_(null, () => this.rest(0, () => local.get(rest)));
  }

  /** Reads beyond the runs and masks what does not belong to them. */
  rest(turn: number, count: () => void): void {
    const mask = this.#locals.v128();
    v128.const("i16x8", [0, 1, 2, 3, 4, 5, 6, 7]);
    count();
    i16x8.splat();
    i16x8.lt_s();
    local.set(mask);
    this.turn(turn, mask);
  }

  /** By line. `room`: so many times the terms would fit a lane. */
  sums(room: number): BlockSums[] {
    return this.#lanes.map((lanes) => {
      const [a, b, c, d] = lanes as [Vector, Vector, Vector, Vector];
      if (room < 2) return this.#sumsOfWideLanes([a, b, c, d]);
      const [ab, cd] = [this.#added(a, b), this.#added(c, d)];
      const [even, odd] = [this.#words(ab, cd, FIRST_HALVES), this.#words(ab, cd, SECOND_HALVES)];
      const all = this.#locals.v128();
      if (room >= 4) {
        i32x4.add(even, odd);
        local.set(all);
        return { all };
      }
      return {
        low: this.#sum64(even, odd, () => i64x2.extend_low_i32x4_s()),
        high: this.#sum64(even, odd, () => i64x2.extend_high_i32x4_s()),
      };
    });
  }

  /** Sums that no lane holds: `body` flushes the lanes in between. */
  flushed(body: () => void): BlockSums[] {
    this.#wide = this.#lanes.map(() => ({ low: this.#locals.v128(), high: this.#locals.v128() }));
    for (const { low, high } of this.#wide) for (const half of [low, high]) zero(half);
    body();
    return this.#wide;
  }

  flush(): void {
    for (const [line, lanes] of this.#lanes.entries()) {
      const part = this.#sumsOfWideLanes(lanes as [Vector, Vector, Vector, Vector]);
      const sums = this.#wide[line] as { low: Vector; high: Vector };
      for (const half of ["low", "high"] as const) {
        i64x2.add(sums[half], part[half]);
        local.set(sums[half]);
      }
    }
  }

  #advance(turns: number): void {
    for (const { type, at } of Object.values(this.#sides))
      for (const address of new Set(at.flat())) local.set(address, i32.add(address, turns * TERMS * BYTES[type]));
  }

  /** The lanes of two columns, interleaved and added up in pairs. */
  #added(a: Vector, b: Vector): Vector {
    const sum = this.#locals.v128();
    for (const words of [INTERLEAVED_LOW, INTERLEAVED_HIGH]) {
      local.get(a);
      local.get(b);
      i8x16.shuffle([...words]);
    }
    i32x4.add();
    local.set(sum);
    return sum;
  }

  #words(a: Vector, b: Vector, words: typeof FIRST_HALVES | typeof SECOND_HALVES): Vector {
    const result = this.#locals.v128();
    local.get(a);
    local.get(b);
    i8x16.shuffle([...words]);
    local.set(result);
    return result;
  }

  #sum64(a: Vector, b: Vector, extend: () => void): Vector {
    const sum = this.#locals.v128();
    local.get(a);
    extend();
    local.get(b);
    extend();
    i64x2.add();
    local.set(sum);
    return sum;
  }

  #sumsOfWideLanes(lanes: [Vector, Vector, Vector, Vector]): { low: Vector; high: Vector } {
    const pairs = lanes.map((lane) => {
      const pair = this.#locals.v128();
      i64x2.extend_low_i32x4_s(lane);
      i64x2.extend_high_i32x4_s(lane);
      i64x2.add();
      local.set(pair);
      return pair;
    });
    const joined = (a: Vector, b: Vector) => {
      const sum = this.#locals.v128();
      local.get(this.#words(a, b, FIRST_HALVES));
      local.get(this.#words(a, b, SECOND_HALVES));
      i64x2.add();
      local.set(sum);
      return sum;
    };
    const [a, b, c, d] = pairs as [Vector, Vector, Vector, Vector];
    return { low: joined(a, b), high: joined(c, d) };
  }
}

function zero(vector: Vector): void {
  v128.const("i32x4", [0, 0, 0, 0]);
  local.set(vector);
}

const FIRST_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23] as const;
const SECOND_HALVES = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31] as const;
const INTERLEAVED_LOW = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23] as const;
const INTERLEAVED_HIGH = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31] as const;
