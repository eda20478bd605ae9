/** How long a running stream may wait for its next token. The aim lies below it: a call takes a third longer at times. */
const LONGEST_GAP_MS = 100;
const AIM_MS = 0.75 * LONGEST_GAP_MS;

/** Rows that the engine computes together; a call of more reads the weights again. */
const BLOCK_ROWS = 64;

/** Tokens of prompts that are read in one call however many streams run, so that every prompt comes to its end. */
const FEWEST = 4;

/** How many tokens of prompts one call may read, from what calls have taken until now. */
export class SliceSize {
  /** A moving average; unknown before the first call. */
  #rowMs: number | undefined;
  #hasRead = false;

  /**
   * @param streams - tokens that are decoded in the same call
   * @param share - models that take turns on this thread
   * @param spentMs - how long the streams have waited already
   */
  tokens({ streams, share, spentMs }: { streams: number; share: number; spentMs: number }): number {
    if (streams === 0) return BLOCK_ROWS;
    const fitting = this.#rowMs === undefined ? FEWEST : Math.floor((AIM_MS / share - spentMs) / this.#rowMs) - streams;
    return Math.max(FEWEST, Math.min(fitting, BLOCK_ROWS - streams));
  }

  /** Learns from a call of `rows` rows, of which `reading` are of prompts. Decoding costs more a row: it counts until something was read. */
  note({ rows, reading, ms }: { rows: number; reading: number; ms: number }): void {
    if (reading === 0 && this.#hasRead) return;
    const known = this.#hasRead === reading > 0 ? this.#rowMs : undefined;
    const weight = Math.min(0.5, rows / BLOCK_ROWS);
    this.#rowMs = known === undefined ? ms / rows : (1 - weight) * known + (weight * ms) / rows;
    this.#hasRead = reading > 0;
  }
}
