import type { BaseUnits, ChannelId } from "@foldmark/protocol";
import type { AnswerRun } from "./answerRun.ts";

/** The requests in flight, by the voucher that pays for them. */
export class Runs {
  readonly #runs = new Map<string, AnswerRun>();

  get(channelId: ChannelId, ceiling: BaseUnits): AnswerRun | undefined {
    return this.#runs.get(`${channelId}/${ceiling}`);
  }

  /** Holds a run until it has ended. */
  add(run: AnswerRun): void {
    const key = `${run.accepted.channelId}/${run.accepted.ceiling}`;
    this.#runs.set(key, run);
    void run.ended.then(() => this.#runs.delete(key));
  }

  /** Ends every run with what its payer has been sent, and waits until the last one has ended. */
  async endAll(): Promise<void> {
    const runs = [...this.#runs.values()];
    for (const run of runs) run.lost();
    await Promise.all(runs.map(({ ended }) => ended));
  }
}
