import { codeOf, FoldmarkError, type Prices, type SkipReason } from "@foldmark/protocol";
import type { Address } from "viem";
import type { ServingDeps } from "./dependencies.ts";
import { countsAgainst, type Skipped, skipReasonOf } from "./failure.ts";
import type { Route } from "./route.ts";

export type FailoverOptions = {
  route: Route;
  /** Computes the route again after a provider has said that its prices are others; undefined where that is no longer possible. */
  reroute: () => Promise<Route | undefined>;
  /** Answer tokens that have been delivered so far. */
  delivered: () => number;
};

export type FailedOver<Result> = { result: Result; route: Route; skipped: Skipped[] };

/**
 * Asks one provider after the other, in the order of the route, until one gives the result. Each that does not is listed
 * with its reason; one that failed a moment ago is passed over, but asked after all when nobody else is left.
 * @throws `provider.all_failed` with each provider's reason, and what `skipReasonOf` does not know
 */
export async function withFailover<Result>(
  options: FailoverOptions,
  ask: (of: { provider: Address; prices: Prices }) => Promise<Result>,
  deps: Pick<ServingDeps, "health" | "tally" | "log">,
): Promise<FailedOver<Result>> {
  const { delivered, reroute } = options;
  const { health, tally, log } = deps;
  let { route } = options;
  const skipped: Skipped[] = [];
  const asked = new Set<string>();
  const skip = (provider: Address, reason: SkipReason, tokens: number): void => {
    skipped.push({ provider, reason, tokens });
  };

  for (;;) {
    const next = nextOf(route, asked, { health, skip });
    if (!next) throw allFailed(skipped);
    asked.add(keyOf(next));
    const before = delivered();
    try {
      const result = await ask(next);
      health.succeeded(next.provider);
      return { result, route, skipped };
    } catch (error) {
      const reason = skipReasonOf(error);
      skip(next.provider, reason, delivered() - before);
      tally.add({ name: "failover", label: reason });
      log.warn({ provider: next.provider, reason, code: codeOf(error), why: whyOf(error) }, "provider replaced");
      if (countsAgainst(reason)) {
        tally.add({ name: "failure", label: next.provider });
        if (reason === "mismatch") health.marked(next.provider);
        else health.failed(next.provider);
      }
      if (reason === "price_changed") route = (await reroute()) ?? route;
    }
  }
}

/** A provider is asked once at the same prices. */
const keyOf = ({ provider, prices }: { provider: Address; prices: Prices }): string =>
  `${provider} ${prices.in} ${prices.out} ${prices.unit}`;

function nextOf(
  { order }: Route,
  asked: Set<string>,
  {
    health,
    skip,
  }: { health: ServingDeps["health"]; skip: (provider: Address, reason: SkipReason, tokens: number) => void },
) {
  const left = order.filter((candidate) => !asked.has(keyOf(candidate)));
  const healthy = left.find(({ provider }) => health.skipReason(provider) === undefined);
  // those in front of it are passed over by our own claim, which the receipt states
  const until = healthy ? left.indexOf(healthy) : left.length;
  for (const candidate of left.slice(0, until)) {
    const reason = health.skipReason(candidate.provider);
    if (!reason) continue;
    if (!healthy && reason === "backing_off") return candidate;
    asked.add(keyOf(candidate));
    skip(candidate.provider, reason, 0);
  }
  return healthy;
}

function allFailed(skipped: Skipped[]): FoldmarkError {
  const reasons = skipped.map(({ provider, reason }) => `${provider}: ${reason}`).join(", ");
  return new FoldmarkError("provider.all_failed", `No provider gave an answer (${reasons}).`, {
    details: { providers: skipped },
    hint: "Nothing was charged. Try again in a moment.",
  });
}

const whyOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
