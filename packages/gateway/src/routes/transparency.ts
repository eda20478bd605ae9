import { Router } from "express";
import type { Tally } from "../serving/tally.ts";
import type { CounterName } from "../store/counters.ts";

const DAY_MS = 86_400_000;

/** `GET /v1/transparency`: what was asked, refused and paid in the last 30 days, in sums that name no caller. */
export function transparencyRoute({ tally, now }: { tally: Tally; now: () => number }): Router {
  const router = Router();
  router.get("/v1/transparency", async (_request, response) => {
    const since = new Date(now() - 30 * DAY_MS).toISOString().slice(0, 10);
    const counts = await tally.since(since);
    const of = (name: CounterName) => counts.filter((count) => count.name === name);
    const byLabel = (name: CounterName) =>
      Object.fromEntries(of(name).map(({ label, count }) => [label, Number(count)]));
    const total = (name: CounterName) => of(name).reduce((sum, { count }) => sum + count, 0n);
    const paid = (name: CounterName) => of(name).reduce((sum, { amount }) => sum + amount, 0n);
    const answers = total("work");
    response.json({
      object: "transparency",
      since,
      requests: Number(total("request")),
      requests_by_model: byLabel("request"),
      refusals: byLabel("refusal"),
      failovers: byLabel("failover"),
      failures_by_provider: byLabel("failure"),
      mismatches_by_model: byLabel("mismatch"),
      work: of("work").map(({ label, count, amount }) => ({
        provider: label,
        answers: Number(count),
        share: Number(count) / Number(answers),
        paid: amount.toString(),
      })),
      /** Base units: what callers paid, and what this gateway bore for replaced providers. */
      paid: paid("work").toString(),
      borne: paid("borne").toString(),
    });
  });
  return router;
}
