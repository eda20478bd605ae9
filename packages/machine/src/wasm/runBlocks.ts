import { BYTES, size } from "../program.ts";
import { br_if, drop, i32, if_, type Local, type Locals, local, loop, loopWhileBelow } from "./asm.ts";
import { BLOCK_COLUMNS, emitBlockDot, LINE_BYTES } from "./blockDot.ts";
import type { Node } from "./graph.ts";
import { reach } from "./laziness.ts";
import type { Sharing } from "./lines.ts";
import type { BlockForm } from "./loopForm.ts";
import type { Extent, Lowered } from "./lower.ts";
import type { RunDot } from "./runDot.ts";
import type { Counters, ScalarEmitter } from "./scalars.ts";
import type { FoldCode } from "./sites.ts";
import { VectorEmitter } from "./vectors/emitter.ts";

export type RunBlocksParts = {
  code: FoldCode;
  lowered: Lowered;
  runDot: RunDot;
  blocks: BlockForm;
  locals: Locals;
  /** Has the values of level 0. */
  scalars: ScalarEmitter;
  needed: readonly Node[];
  end: { r: Local<"i32">; c: Local<"i32">; k: Local<"i32"> };
};

/** Columns from which a processor fetches ahead by itself: 64 keys of 64 elements are 8 KiB. */
const TOUCHED_COLUMNS = 64;

type Line = { counters: Counters; scalars: ScalarEmitter; vectors: VectorEmitter };

/**
 * All elements of a step whose sums are dots of runs, in blocks of lines times four columns: the sums first, then what
 * follows them as vectors. There must be four columns at least; the last block of a row begins four before its end, so
 * that some elements are computed twice.
 */
export function emitRunBlocks(parts: RunBlocksParts): void {
  new RunBlocks(parts).emit();
}

class RunBlocks {
  readonly #parts: RunBlocksParts;

  constructor(parts: RunBlocksParts) {
    this.#parts = parts;
  }

  emit(): void {
    const { locals, blocks, scalars, end } = this.#parts;
    const { over, count, stride } = blocks.shape.lines;
    const r = locals.i32();
    local.set(r, i32.const(0));
    loopWhileBelow(r, end.r, over === "r" ? count : 1, () => {
      const c = locals.i32();
      if (over === "r") {
        const lines = Array.from({ length: count }, (_, i) => {
          const own = i === 0 ? r : locals.i32();
          if (i > 0) local.set(own, i32.add(r, i));
          const counters = { r: own, c, k: c };
          const forked = scalars.fork(counters);
          this.#level1(forked);
          return this.#line(counters, forked);
        });
        this.#columns(lines, { first: () => i32.const(0), last: () => i32.sub(end.c, BLOCK_COLUMNS) });
      } else {
        const row = scalars.fork({ r, c, k: c });
        this.#level1(row);
        const lines = Array.from({ length: count }, (_, i) => {
          const counters = { r, c: i === 0 ? c : locals.i32(), k: c };
          return this.#line(counters, row.fork(counters));
        });
        const start = locals.i32();
        local.set(start, i32.const(0));
        loopWhileBelow(start, end.c, stride * count, () => {
          this.#columns(lines, {
            first: () => local.get(start),
            last: () => i32.add(start, stride - BLOCK_COLUMNS),
          });
        });
      }
    });
  }

  #level1(scalars: ScalarEmitter): void {
    for (const node of this.#parts.needed)
      if (node.level === 1 && !node.late && !scalars.isLazy(node)) scalars.compute(node);
  }

  #line(counters: Counters, scalars: ScalarEmitter): Line {
    const { locals, blocks } = this.#parts;
    const { loop: over, inside, outside } = blocks.vector;
    const scalar = (node: Node) => scalars.get(node);
    const vectors = new VectorEmitter({ locals, loop: over, counters, scalar });
    vectors.prepare({ inside, outside });
    return { counters, scalars, vectors };
  }

  /** Blocks from `first` on, the last one at `last`. */
  #columns(lines: Line[], at: { first: () => void; last: () => void }): void {
    const { code, lowered, locals, blocks } = this.#parts;
    const { shape, vector } = blocks;
    const { c } = (lines[0] as Line).counters;
    if (size.kind(lowered.cols.size) !== 0) this.#touch(lines);
    const last = locals.i32();
    at.last();
    local.set(last);
    at.first();
    local.set(c);
    loop(null, (again) => {
      if (shape.lines.over === "c")
        for (const [i, { counters }] of lines.entries())
          if (i > 0) local.set(counters.c, i32.add(c, i * shape.lines.stride));
      this.#sums(lines);
      for (const { counters, scalars, vectors } of lines) {
        for (const node of vector.inside) vectors.compute(node);
        vectors.store(lowered.element as Node, code.decl.type, () => {
          scalars.get(lowered.outRowAddress as Node);
          i32.mul(counters.c, BYTES[code.decl.type]);
          i32.add();
        });
      }
      // from c to the next block, which is the last one where no whole block fits before it
      const next = locals.i32();
      local.set(next, i32.add(c, BLOCK_COLUMNS));
      i32.lt_u(last, next);
      i32.lt_u(c, last);
      i32.and();
      if_(null, () => {
        local.set(next, last);
      });
      local.set(c, next);
      i32.le_u(c, last);
      br_if(again);
    });
  }

  /** Has the memory fetch the runs of the first columns all at once, before they are read one after the other. */
  #touch(lines: Line[]): void {
    const { lowered, locals, runDot, blocks, end } = this.#parts;
    const axis = lowered.axis as Extent;
    if (size.kind(axis.size) !== 0) return;
    const { c } = (lines[0] as Line).counters;
    const stop = locals.i32();
    local.set(stop, i32.and(end.c, -BLOCK_COLUMNS));
    i32.lt_u(TOUCHED_COLUMNS, stop);
    if_(null, () => {
      local.set(stop, i32.const(TOUCHED_COLUMNS));
    });
    local.set(c, i32.const(0));
    loopWhileBelow(c, stop, BLOCK_COLUMNS, () => {
      for (const side of ["left", "right"] as const) {
        if (blocks.shape[side].byColumns) continue;
        const bytes = axis.max * BYTES[runDot.form[side]];
        for (const address of this.#addresses(runDot[side], blocks.shape[side], lines).flat())
          for (let offset = 0; offset < bytes; offset += LINE_BYTES) {
            i32.load({ align: 1, offset }, address);
            drop();
          }
      }
    });
  }

  #sums(lines: Line[]): void {
    const { lowered, locals, runDot, blocks, needed, end } = this.#parts;
    const axis = lowered.axis as Extent;
    const runs = {
      left: this.#addresses(runDot.left, blocks.shape.left, lines),
      right: this.#addresses(runDot.right, blocks.shape.right, lines),
    };
    const isFixed = size.kind(axis.size) === 0;
    const at = { ...runs, lines: lines.length, count: end.k, most: axis.max, isFixed };
    const acc = needed.find(({ op }) => op === "acc");
    for (const [line, sums] of emitBlockDot(locals, runDot.form, at).entries())
      if (acc !== undefined) lines[line]?.vectors.define(acc, sums);
  }

  /** Where the runs of one side begin, by line and column. */
  #addresses(node: Node, { byLines, byColumns }: Sharing, lines: Line[]): Local<"i32">[][] {
    const { locals, needed } = this.#parts;
    return (byLines ? lines.slice(0, 1) : lines).map(({ counters, scalars }) => {
      const changing = needed.filter((value) => value.level === 2 && reach([node]).has(value));
      const columns = byColumns ? 1 : BLOCK_COLUMNS;
      const found = Array.from({ length: columns }, (_, column) => {
        if (column > 0) local.set(counters.c, i32.add(counters.c, 1));
        for (const value of changing) scalars.compute(value);
        const address = locals.i32();
        scalars.get(node);
        local.set(address);
        for (const value of changing) scalars.forget(value);
        return address;
      });
      if (columns > 1) local.set(counters.c, i32.sub(counters.c, columns - 1));
      return found;
    });
  }
}
