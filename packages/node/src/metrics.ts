import type { Logger } from "pino";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { DisputeCounts } from "./disputes/defender.ts";
import { priceOf } from "./serving/price.ts";
import type { Scheduler } from "./serving/scheduler.ts";
import type { ServingWatch } from "./serving/servingWatch.ts";
import type { Ledger } from "./store/ledger.ts";

/** The node's metrics. Labels come from the registry of models and from fixed words, never from a request. */
export function nodeMetrics({ scheduler, ledger }: { scheduler: Scheduler; ledger: Ledger }) {
  const registry = new Registry();
  const registers = [registry];
  const prefix = "foldmark_node_";
  new Gauge({
    ...{ name: `${prefix}queue_depth`, help: "Requests that wait for the engine", registers },
    collect() {
      this.set(scheduler.queued);
    },
  });
  new Gauge({
    ...{ name: `${prefix}sessions`, help: "Requests that the engine works on", registers },
    collect() {
      this.set(scheduler.running);
    },
  });
  new Gauge({
    ...{ name: `${prefix}claims_open`, help: "Answers whose evidence is still kept", registers },
    collect() {
      this.set(ledger.openAnswers());
    },
  });
  return {
    registry,
    requests: new Counter({
      ...{
        name: `${prefix}requests_total`,
        help: "Requests by how they ended",
        labelNames: ["model", "outcome"],
        registers,
      },
    }),
    tokens: new Counter({
      ...{ name: `${prefix}tokens_total`, help: "Tokens in and out", labelNames: ["model", "direction"], registers },
    }),
    firstToken: new Histogram({
      ...{ name: `${prefix}first_token_seconds`, help: "From the accepted voucher to the first token", registers },
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    }),
    charged: new Counter({
      ...{
        name: `${prefix}charge_base_units_total`,
        help: "Prices of signed answers",
        labelNames: ["model"],
        registers,
      },
    }),
  };
}

/** Disputes by how they stand, and how many more the operator's key can pay for. */
export function disputeMetrics(
  registry: Registry,
  { counts, defences }: { counts(): DisputeCounts; defences(): number },
): void {
  const registers = [registry];
  new Gauge({
    ...{ name: "foldmark_node_disputes", help: "Challenges of this node's answers", labelNames: ["state"], registers },
    collect() {
      for (const [state, count] of Object.entries(counts())) this.set({ state }, count);
    },
  });
  new Gauge({
    ...{
      name: "foldmark_node_defences_affordable",
      help: "Whole defences that the operator's gas pays for",
      registers,
    },
    collect() {
      this.set(defences());
    },
  });
}

export type NodeMetrics = ReturnType<typeof nodeMetrics>;

/** Counts what is served and writes one line for each answer. */
export function watchServing({
  metrics,
  log,
  ledger,
}: {
  metrics: NodeMetrics;
  log: Logger;
  ledger: Ledger;
}): ServingWatch {
  return {
    refused: (code) => metrics.requests.inc({ model: "", outcome: code }),
    accepted({ model: { name: model }, size, prices }) {
      const startedAt = performance.now();
      let firstAt: number | undefined;
      let tokens = 0;
      if (size.kind === "chat") metrics.tokens.inc({ model, direction: "in" }, size.promptTokens);
      return {
        tokens(count) {
          firstAt ??= performance.now();
          if (tokens === 0) metrics.firstToken.observe((firstAt - startedAt) / 1000);
          tokens += count;
          metrics.tokens.inc({ model, direction: "out" }, count);
        },
        ended(outcome) {
          const now = performance.now();
          const seconds = Number(((now - startedAt) / 1000).toFixed(3));
          metrics.requests.inc({ model, outcome: outcome.status });
          if (outcome.status === "failed") {
            log.error({ model, err: outcome.error }, "an answer failed; it is not charged");
            return;
          }
          if (outcome.status === "none") {
            log.info({ model, seconds }, "closed without an answer");
            return;
          }
          const { T } = outcome.event.preimage;
          const price = priceOf(size, prices, size.kind === "chat" ? T - size.promptTokens : 0);
          metrics.charged.inc({ model }, Number(price));
          const tokensPerSecond =
            firstAt !== undefined && tokens > 1
              ? Number(((tokens - 1) / ((now - firstAt) / 1000)).toFixed(1))
              : undefined;
          log.info(
            {
              ...{ model, answerTokens: tokens, tokensPerSecond, seconds },
              ...{ T, charge: price.toString(), openClaims: ledger.openAnswers() },
            },
            "served",
          );
        },
      };
    },
  };
}
