import type { ElementType, Size } from "../program.ts";
import { type Expr, load, type Value } from "./expr.ts";

/** A request, claimed or constant tensor. */
export class TensorHandle {
  readonly type: ElementType;
  readonly rows: Size;
  readonly cols: Size;

  constructor(decl: { type: ElementType; rows: Size; cols: Size }) {
    this.type = decl.type;
    this.rows = decl.rows;
    this.cols = decl.cols;
    Object.freeze(this);
  }

  /** The element at (row, col), both clamped into range. */
  at(row: Value, col: Value): Expr {
    return load("tensor", this, [row, col]);
  }
}

/** A fold. `stage` and `fold` are its numbers in the program. */
export class FoldHandle {
  readonly type: ElementType;
  readonly rows: Size;
  readonly cols: Size;
  readonly stage: number;
  readonly fold: number;

  constructor(decl: { type: ElementType; rows: Size; cols: Size; stage: number; fold: number }) {
    this.type = decl.type;
    this.rows = decl.rows;
    this.cols = decl.cols;
    this.stage = decl.stage;
    this.fold = decl.fold;
    Object.freeze(this);
  }

  /** The element at (row, col) of a step, from a later stage; all three clamped into range. */
  at(step: Value, row: Value, col: Value): Expr {
    return load("fold", this, [step, row, col]);
  }
}
