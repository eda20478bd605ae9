import type { Address } from "viem";
import { type Market, readStake } from "./chain/market.ts";
import type { MarketWatch } from "./chain/marketWatch.ts";
import type { DisputeCounts } from "./disputes/defender.ts";
import type { OpenedModel } from "./engine/openModel.ts";
import { readIncome } from "./money/collect.ts";
import type { Health } from "./serving/healthRoute.ts";
import type { Scheduler } from "./serving/scheduler.ts";
import type { Ledger } from "./store/ledger.ts";

/** Amounts are decimal strings in base units; `todo` is what the operator should do next. */
export type NodeStatus = {
  state: "SERVING" | "IDLE" | "DEGRADED" | "DRAINING";
  payee: Address;
  endpoint: string;
  models: { asset: string; name: string; isOffered: boolean }[];
  running: number;
  queued: number;
  uptimeSeconds: number;
  money: { signed: string; held: string; ready: string };
  stake: { amount: string; unbonding: string; isEnough: boolean };
  openAnswers: number;
  disputes: DisputeCounts;
  /** Whole defences that the operator's gas pays for. */
  defencesAffordable: number;
  todo: string[];
};

type Described = {
  payee: Address;
  endpoint: string;
  models: readonly OpenedModel[];
  scheduler: Scheduler;
  ledger: Ledger;
  market: Market;
  view: MarketWatch;
  health: Health;
  disputes: DisputeCounts;
  defencesAffordable: number;
  startedAt: number;
  clock: () => number;
};

/** Everything that `foldmark status` shows. @throws `chain.unreachable` */
export async function describeNode(node: Described): Promise<NodeStatus> {
  const { payee, endpoint, models, scheduler, ledger, market, view, health, startedAt, clock } = node;
  const { disputes, defencesAffordable } = node;
  const [income, stake] = await Promise.all([readIncome(market, payee), readStake(market, payee)]);
  const signed = ledger.claims().reduce((sum, { amount, redeemed }) => sum + (amount - redeemed), 0n);
  const offered = models.map(({ asset, name }) => ({ asset, name, isOffered: view.prices(asset) !== undefined }));
  const todo = [
    ...(models.length > 0 ? [] : ["no model is served: run `foldmark init --model DIR` first"]),
    ...offered
      .filter(({ isOffered }) => !isOffered)
      .map(({ name }) => `${name} has no offer: run \`foldmark offers set ${name} --in .. --out ..\``),
    ...(disputes.falseAnswers === 0
      ? []
      : ["AN ANSWER OF THIS NODE IS FALSE: nothing is served; test this machine's memory, then start again"]),
    ...(defencesAffordable > 0
      ? []
      : ["the operator's gas pays for no defence: send its address some of the chain's own currency"]),
    ...(view.hasStake() ? [] : ["the stake is too low to serve: run `foldmark stake add AMOUNT`"]),
  ];
  const isServing = scheduler.running + scheduler.queued > 0;
  const working = todo.length > 0 ? "DEGRADED" : isServing ? "SERVING" : "IDLE";
  return {
    state: health === "draining" ? "DRAINING" : working,
    ...{ payee, endpoint, models: offered, running: scheduler.running, queued: scheduler.queued },
    uptimeSeconds: Math.round((clock() - startedAt) / 1000),
    money: { signed: signed.toString(), held: income.held.toString(), ready: income.ready.toString() },
    stake: { amount: stake.amount.toString(), unbonding: stake.unbonding.toString(), isEnough: view.hasStake() },
    ...{ openAnswers: ledger.openAnswers(), disputes, defencesAffordable, todo },
  };
}
