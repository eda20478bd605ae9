/** A sleeping thread takes about as long to wake as some jobs take, so one try says nothing. */
const TRIES = 16;
const REFUSALS = 240;

/**
 * Whether to try what only helps while cores are free: after some failures in a row it is given up for a while, and then tried
 * as often again, until it succeeds. On a busy machine a thread then seldom spins or is woken for nothing.
 */
export class Hope {
  #failures = 0;
  #refused = 0;

  isWorthTrying(): boolean {
    if (this.#failures < TRIES) return true;
    this.#refused++;
    if (this.#refused === REFUSALS) {
      this.#failures = 0;
      this.#refused = 0;
    }
    return false;
  }

  tried(succeeded: boolean): void {
    this.#failures = succeeded ? 0 : this.#failures + 1;
  }
}
