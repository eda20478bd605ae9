/** A run's flag is its number, at its number modulo this; two that meet in one place hide only each other's early end. */
const PLACES = 1_024;

/**
 * Runs that were called off, for a thread that is deep in a computation and reads no messages. Runs are numbered from 1.
 */
export class Cancellations {
  readonly shared: SharedArrayBuffer;
  readonly #flags: Int32Array;

  constructor(shared = new SharedArrayBuffer(PLACES * Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#flags = new Int32Array(shared);
  }

  add(id: number): void {
    Atomics.store(this.#flags, id % PLACES, id);
  }

  has(id: number): boolean {
    return Atomics.load(this.#flags, id % PLACES) === id;
  }
}
