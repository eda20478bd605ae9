import type { InnermostRows } from "./plan.ts";

/** Puts rows of a stage whose time is innermost together, from its steps. */
export class InnermostBuffer {
  readonly bytes: Uint8Array;
  readonly #rows: InnermostRows;
  readonly #width: number;

  /** `width` is the bytes of an element. */
  constructor(rows: InnermostRows, width: number) {
    this.bytes = new Uint8Array(rows.bytes);
    this.#rows = rows;
    this.#width = width;
  }

  /** A step of the stage: all of its elements. */
  put(step: Uint8Array, t: number): void {
    const { from, end, bytes } = this.#rows;
    const width = this.#width;
    const rowBytes = bytes / (end - from);
    for (let row = from; row < end; row++) {
      const to = (row - from) * rowBytes + t * width;
      for (let byte = 0; byte < width; byte++) this.bytes[to + byte] = step[row * width + byte] as number;
    }
  }
}
