import type { Engine, Session } from "@foldmark/machine";
import { isOfOneAnswer } from "./errorOfOneAnswer.ts";

/** What a session has read, and on whose behalf. */
export type Read = { payer: string; tokens: readonly number[]; session: Session };

type Kept = Read & { bytes: number; usedAt: number };

export type KeptSessionsOptions = {
  /** Engine memory of all that is kept. */
  limitBytes?: number;
  /** Milliseconds since any time. */
  clock?: () => number;
};

/** About 10,000 tokens of a model of 135 million parameters. */
const LIMIT_BYTES = 256 * 2 ** 20;
/** Nobody goes on with a conversation for ever, and what was said in it should not lie about. */
const LONGEST_MS = 10 * 60_000;

const NOT_KEPT: readonly unknown[] = ["machine.out_of_memory", "machine.step_missing"];

/**
 * Sessions of answers that have ended. A conversation comes again with every turn, a little longer: what was read of it is
 * not read again. Only by the payer who had it read, since by the time until the first token others could tell what it was.
 */
export class KeptSessions {
  readonly #engine: Engine;
  readonly #limitBytes: number;
  readonly #clock: () => number;
  /** The least recently used first. */
  #kept: Kept[] = [];

  constructor(engine: Engine, { limitBytes = LIMIT_BYTES, clock = () => performance.now() }: KeptSessionsOptions = {}) {
    this.#engine = engine;
    this.#limitBytes = limitBytes;
    this.#clock = clock;
  }

  /** The session that has read most of a prompt, and how much of it: never all, since somebody asks what follows it. */
  find({
    payer,
    prompt,
  }: {
    payer: string;
    prompt: readonly number[];
  }): { session: Session; steps: number } | undefined {
    let best: { kept: Kept; steps: number } | undefined;
    for (const kept of this.#kept) {
      if (kept.payer !== payer) continue;
      const steps = Math.min(commonLength(kept.tokens, prompt), prompt.length - 1);
      if (steps > (best?.steps ?? 0)) best = { kept, steps };
    }
    if (!best) return undefined;
    this.#use(best.kept);
    return { session: best.kept.session, steps: best.steps };
  }

  /** Keeps a copy of a session, with no more memory than its steps need; nothing where there is no room, or no way back. */
  keep({ payer, tokens, session }: Read): void {
    const isOf = (kept: Kept, length: number) => kept.payer === payer && commonLength(kept.tokens, tokens) === length;
    const longer = this.#kept.find((kept) => isOf(kept, tokens.length));
    if (longer) {
      this.#use(longer);
      return;
    }
    const bytes = this.#engine.sessionBytes(tokens.length);
    if (tokens.length === 0 || bytes > this.#limitBytes) return;
    for (const kept of this.#kept) if (isOf(kept, kept.tokens.length)) this.#drop(kept);
    while (this.#bytes + bytes > this.#limitBytes) this.dropOldest();
    try {
      const copy = this.#engine.fork(session, { steps: tokens.length });
      this.#kept.push({ payer, tokens, session: copy, bytes, usedAt: this.#clock() });
    } catch (error) {
      if (!isOfOneAnswer(error) || !NOT_KEPT.includes(error.code)) throw error;
    }
  }

  /** Makes room. False when nothing is kept. */
  dropOldest(): boolean {
    const [oldest] = this.#kept;
    if (oldest) this.#drop(oldest);
    return oldest !== undefined;
  }

  /** Drops what nobody has gone on with for ten minutes. */
  dropOld(): void {
    const before = this.#clock() - LONGEST_MS;
    for (const kept of this.#kept) if (kept.usedAt < before) this.#drop(kept);
  }

  get #bytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #use(kept: Kept): void {
    kept.usedAt = this.#clock();
    this.#kept = [...this.#kept.filter((other) => other !== kept), kept];
  }

  #drop(kept: Kept): void {
    kept.session.close();
    this.#kept = this.#kept.filter((other) => other !== kept);
  }
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
