/** How long a running stream may wait for its next token. The aim lies below it: a call takes a third longer at times. */
const LONGEST_GAP_MS = 100;
const AIM_MS = 0.75 * LONGEST_GAP_MS;

/** Rows that the engine computes together; a call of more reads the weights again. */
const BLOCK_ROWS = 64;

/** Tokens of prompts that are read in one call however many streams run, so that every prompt comes to its end. */
const FEWEST = 4;

/** One call of the engine: tokens that were decoded, and tokens of prompts that were read. */
export type Call = { streams: number; reading: number; ms: number };

/** How many tokens of prompts one call may read, from what calls have taken until now. */
export class SliceSize {
  /** Moving averages: of a token that is decoded beside others, and of one of a prompt. Unknown before the first calls. */
  #streamMs: number | undefined;
  #readMs: number | undefined;

  /**
   * @param streams - tokens that are decoded in the same call
   * @param share - models that take turns on this thread
   * @param spentMs - how long the streams have waited already
   */
  tokens({ streams, share, spentMs }: { streams: number; share: number; spentMs: number }): number {
    if (streams === 0) return BLOCK_ROWS;
    const streamMs = this.#streamMs ?? this.#readMs;
    const readMs = this.#readMs ?? this.#streamMs;
    if (streamMs === undefined || readMs === undefined) return FEWEST;
    const fitting = Math.floor((AIM_MS / share - spentMs - streams * streamMs) / readMs);
    return Math.max(FEWEST, Math.min(fitting, BLOCK_ROWS - streams));
  }

  /** Learns from a call. What streams alone have taken is what they take beside a prompt; the rest is the prompt's. */
  note({ streams, reading, ms }: Call): void {
    const rowMs = ms / (streams + reading);
    if (reading === 0) this.#streamMs = average(this.#streamMs, rowMs, 0.3);
    else {
      const rest = (ms - streams * (this.#streamMs ?? rowMs)) / reading;
      // of more streams each takes less: then too much was taken off
      this.#readMs = average(this.#readMs, Math.max(rest, rowMs / 2), Math.max(0.1, (0.5 * reading) / BLOCK_ROWS));
    }
  }
}

const average = (known: number | undefined, next: number, weight: number): number =>
  known === undefined ? next : (1 - weight) * known + weight * next;
