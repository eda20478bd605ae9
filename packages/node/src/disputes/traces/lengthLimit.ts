import { type AssetId, codeOf, FoldmarkError } from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import { z } from "zod";
import type { AnswerEngine } from "../../engine/answerEngine.ts";
import type { OpenedModel } from "../../engine/openModel.ts";
import type { Ledger } from "../../store/ledger.ts";
import type { OpenTrace } from "./disputeTrace.ts";
import { LONGEST_DEFENCE, longestDefended, measurePace, type Pace } from "./pace.ts";

type LimitDeps = { engine: AnswerEngine; openTrace: OpenTrace; ledger: Ledger; log: Logger };

const paceSchema = z.object({ T: z.int().positive(), trace: z.number(), reveal: z.number() });

/** What this node takes on: no answer whose defence would take it longer than half an hour. */
export class LengthLimit {
  readonly #longest = new Map<AssetId, number>();
  #isClosed = false;

  /**
   * Measures every model, one after the other, while others are served; what was measured before is not measured again.
   * Until then the program's own limit holds.
   */
  async measure(models: readonly OpenedModel[], deps: LimitDeps): Promise<void> {
    for (const model of models) {
      const pace = this.#isClosed ? undefined : await this.#paceOf(model, deps);
      if (!pace) continue;
      const longest = longestDefended(model.program, pace);
      this.#longest.set(model.asset, longest);
      const fields = { model: model.name, T: pace.T, traceSeconds: pace.trace, revealSeconds: pace.reveal, longest };
      if (longest < model.context)
        deps.log.warn(fields, "longer answers could not be defended in time and are refused");
      else deps.log.info(fields, "every answer of the model could be defended in time");
    }
  }

  /** Nobody waits for a measurement that still runs. */
  close(): void {
    this.#isClosed = true;
  }

  /** @param T - the longest that an answer to the request may be @throws `node.not_serving` */
  check(asset: AssetId, T: number): void {
    const longest = this.#longest.get(asset);
    if (longest === undefined || T <= longest) return;
    throw new FoldmarkError("node.not_serving", `An answer of ${T} steps could not be defended in time by this node.`, {
      details: { T, longest, seconds: LONGEST_DEFENCE, retryAfterSeconds: 3_600 },
      hint: "Ask for fewer tokens, or ask another provider.",
    });
  }

  async #paceOf(model: OpenedModel, { engine, openTrace, ledger, log }: LimitDeps): Promise<Pace | undefined> {
    const name = `pace/${model.modelId}`;
    const known = ledger.fact(name);
    if (known !== undefined) return paceSchema.parse(JSON.parse(known));
    try {
      const pace = await measurePace(model, { engine, openTrace });
      if (this.#isClosed) return undefined;
      if (pace) ledger.setFact(name, JSON.stringify(pace));
      return pace;
    } catch (error) {
      if (!this.#isClosed)
        log.warn({ model: model.name, code: codeOf(error) }, "the speed of a trace could not be measured");
      return undefined;
    }
  }
}
