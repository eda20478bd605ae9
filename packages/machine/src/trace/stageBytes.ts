import type { Program } from "../program.ts";
import { foldTensorBytes } from "./layout.ts";
import { isOneTensor } from "./plan.ts";

/** The elements of a small stage, taken as they come: its one tensor, or a loop's tensors, fold by fold at each step. */
export class StageBytes {
  readonly tensors: Uint8Array[] = [];
  readonly #isOne: boolean;
  #filled = 0;

  constructor(program: Program, stage: number, T: number) {
    this.#isOne = isOneTensor(program, stage);
    if (this.#isOne) this.tensors.push(new Uint8Array(foldTensorBytes(program, { stage, fold: 0, t: 0 }, T)));
  }

  take(bytes: Uint8Array): void {
    if (this.#isOne) this.tensors[0]?.set(bytes, this.#filled);
    else this.tensors.push(bytes.slice());
    this.#filled += bytes.length;
  }
}
