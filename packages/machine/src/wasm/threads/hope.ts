const FAILURES = 4;
const RARELY = 16;

/**
 * Whether to try what only helps while cores are free: after some failures in a row it is tried once in a while, until it
 * succeeds. On a busy machine a thread then neither spins nor is woken for nothing.
 */
export class Hope {
  #failures = 0;
  #refused = 0;

  isWorthTrying(): boolean {
    if (this.#failures < FAILURES || this.#refused === RARELY) {
      this.#refused = 0;
      return true;
    }
    this.#refused++;
    return false;
  }

  tried(succeeded: boolean): void {
    this.#failures = succeeded ? 0 : this.#failures + 1;
  }
}
