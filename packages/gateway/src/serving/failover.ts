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
  const passedOver = new Set<string>();
  const skip = (provider: Address, reason: SkipReason, tokens: number): void => {
    skipped.push({ provider, reason, tokens });
  };

  for (;;) {
    const next = nextOf(route, { asked, passedOver, health, skip });
    if (!next) throw allFailed(skipped);
    // asked after all: what is listed is how that ended
    const claimed = skipped.findIndex(({ provider, reason }) => provider === next.provider && reason === "backing_off");
    if (claimed >= 0) skipped.splice(claimed, 1);
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

type Standing = {
  asked: Set<string>;
  /** Not asked because they failed a moment ago. */
  passedOver: Set<string>;
  health: ServingDeps["health"];
  skip: (provider: Address, reason: SkipReason, tokens: number) => void;
};

/** The first healthy provider that has not been asked; without one, the first that is only backing off. */
function nextOf({ order }: Route, { asked, passedOver, health, skip }: Standing) {
  const left = order.filter((candidate) => !asked.has(keyOf(candidate)));
  const fresh = left.filter((candidate) => !passedOver.has(keyOf(candidate)));
  const healthy = fresh.find(({ provider }) => health.skipReason(provider) === undefined);
  // those in front of it are passed over by our own claim, which the receipt states
  for (const candidate of healthy ? fresh.slice(0, fresh.indexOf(healthy)) : left) {
    const reason = health.skipReason(candidate.provider);
    if (!healthy && reason !== "mismatch") return candidate;
    if (reason === "mismatch") asked.add(keyOf(candidate));
    else passedOver.add(keyOf(candidate));
    skip(candidate.provider, reason ?? "backing_off", 0);
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
