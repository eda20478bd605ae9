import { type AssetId, FoldmarkError, type PaymentEvent } from "@foldmark/protocol";
import type { AnswerEngine, Completion, EngineRun } from "../engine/answerEngine.ts";
import type { AcceptedRequest } from "./admission.ts";
import type { Scheduler, Task } from "./scheduler.ts";

/** Where the parts of an answer go as they come. */
export type AnswerListener = { hint(agreed: number): void; tokens(ids: number[]): void };

/** How a request ended. `none`: nothing was signed under its ceiling and nothing will be. */
export type Outcome =
  | { status: "done"; event: PaymentEvent }
  | { status: "none" }
  | { status: "failed"; error: unknown };

export type AnswerRunDeps = {
  engine: AnswerEngine;
  scheduler: Scheduler;
  listener: AnswerListener;
  /** Signs and stores; what it returns is on disk. */
  sign(completion: Completion): PaymentEvent;
  /** Closes the voucher with nothing signed. */
  closeEmpty(): void;
};

/** One accepted request from the queue to its end. It ends exactly once: signed, empty, or failed. */
export class AnswerRun implements Task {
  readonly accepted: AcceptedRequest;
  readonly ended: Promise<Outcome>;
  readonly #deps: AnswerRunDeps;
  #end: (outcome: Outcome) => void = () => {};
  #outcome: Outcome | undefined;
  #engineRun: EngineRun | undefined;
  #sent = 0;
  #cutAt: number | undefined;

  constructor(accepted: AcceptedRequest, deps: AnswerRunDeps) {
    this.accepted = accepted;
    this.#deps = deps;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get payer(): string {
    return this.accepted.payer;
  }

  get asset(): AssetId {
    return this.accepted.job.asset;
  }

  /** Answer tokens that the payer has been sent; tokens of a hint count when they are agreed with. */
  get sent(): number {
    return this.#sent;
  }

  /** Called by the scheduler when it is this request's turn. */
  async run(): Promise<void> {
    if (this.#outcome) return;
    const { engine, sign } = this.#deps;
    try {
      this.#engineRun = engine.run(this.accepted.job, {
        hint: (agreed) => this.#send(agreed, () => this.#deps.listener.hint(agreed)),
        tokens: (ids) => this.#send(ids.length, () => this.#deps.listener.tokens(ids)),
      });
      const completion = await this.#engineRun.result;
      if (!this.#outcome) this.#finish({ status: "done", event: sign(completion) });
    } catch (error) {
      this.#closeWith({ status: "failed", error });
    }
  }

  /**
   * The payer wants no more than `tokens` of the answer. The first cut counts; one that comes after the end changes
   * nothing, and a full Answer that is signed already stands.
   * @throws `cut.out_of_range` for more tokens than were sent, or for none when some were
   */
  cut(tokens: number): Promise<Outcome> {
    if (this.#outcome || this.#cutAt !== undefined) return this.ended;
    if (tokens > this.#sent || (tokens === 0 && this.#sent > 0))
      throw new FoldmarkError("cut.out_of_range", `Cannot cut at ${tokens}: ${this.#sent} tokens were sent.`, {
        details: { tokens, sent: this.#sent },
        hint: "Cut at 1 to `sent` tokens; at 0 only while none was sent.",
      });
    this.#cutAt = tokens;
    if (tokens > 0) this.#engineRun?.cut(tokens);
    else {
      this.#deps.scheduler.remove(this);
      this.#closeWith({ status: "none" });
      this.#engineRun?.abort();
    }
    return this.ended;
  }

  /** Nobody listens any more: the answer ends with what was sent. */
  lost(): void {
    void this.cut(this.#sent);
  }

  #send(count: number, write: () => void): void {
    if (this.#outcome || this.#cutAt !== undefined) return;
    this.#sent += count;
    write();
  }

  #closeWith(outcome: Outcome): void {
    if (this.#outcome) return;
    try {
      this.#deps.closeEmpty();
      this.#finish(outcome);
    } catch (error) {
      // a disk that takes no write: the voucher is closed when the ledger is opened again
      this.#finish({ status: "failed", error });
    }
  }

  #finish(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#end(outcome);
  }
}
