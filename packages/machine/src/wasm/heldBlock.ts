import type { Arena, BlockOwner } from "./memory.ts";

/** A block of the arena that is as large as it ever had to be. What it holds is lost when it grows. */
export class HeldBlock implements BlockOwner {
  readonly #arena: Arena;
  readonly #settle: (base: number) => void;
  #bytes = 0;
  base = 0;

  /** `settle` is called whenever the block lies somewhere else. */
  constructor(arena: Arena, settle: (base: number) => void = () => {}) {
    this.#arena = arena;
    this.#settle = settle;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Makes it large enough. @throws `machine.out_of_memory`, and is as large as before then */
  fit(bytes: number): void {
    if (this.#bytes >= bytes) return;
    this.moveTo(this.#arena.exchange(this.#bytes === 0 ? undefined : this.base, bytes, this));
    this.#bytes = bytes;
  }

  moveTo(base: number): void {
    this.base = base;
    this.#settle(base);
  }
}
