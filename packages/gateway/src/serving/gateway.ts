import {
  type BaseUnits,
  baseUnits,
  codeOf,
  type Hash,
  type PriceCap,
  type Prices,
  type Receipt,
  type ReceiptId,
  type Signer,
  ZERO,
} from "@foldmark/protocol";
import type { ServedModels } from "../models/openModels.ts";
import type { ServedModel } from "../models/servedModel.ts";
import { issueReceipt, type ReceiptInputs } from "../receipts/issueReceipt.ts";
import { storeReceipt } from "../receipts/receiptStore.ts";
import { type Caller, reserve, settle } from "../store/apiKeys.ts";
import type { Database } from "../store/open.ts";
import type { ServingDeps } from "./dependencies.ts";
import { highestMaximum, type Route, routeRequest } from "./route.ts";

/** One request of one caller. */
export type Call = { requestId: string; caller: Caller; bodyHash: Hash; cap: PriceCap | undefined };

/** What a client named, resolved once. */
export type Named = { model: ServedModel; alias: { name: string; block: bigint } | undefined };

export type Billed = { receipt: Receipt; receiptId: ReceiptId; cost: BaseUnits };

export type GatewayDeps = ServingDeps & {
  db: Database;
  models: ServedModels;
  signer: Signer;
  chainId: number;
  channels: `0x${string}`;
  /** Names this gateway's reservations in a shared database. */
  instance: string;
};

/** What is the same for every service: who may be asked, at what price, and that it is paid for and written down. */
export type Routed = { route: Route; reroute: () => Promise<Route | undefined> };

/**
 * Routes a request, sets aside the most that it can cost, does the work, and settles. Whatever goes wrong, the caller is
 * charged for an answer that has a receipt, or for nothing.
 * @throws `provider.none`, `price.above_cap`, `budget.exhausted`, and what `work` throws
 */
export async function billed<Result>(
  { call, named, maximumAt }: { call: Call; named: Named; maximumAt: (prices: Prices) => BaseUnits },
  work: (
    routed: Routed,
  ) => Promise<{ result: Result; inputs: Omit<ReceiptInputs, "model" | "alias" | "bodyHash"> | undefined }>,
  deps: GatewayDeps,
): Promise<{ result: Result; billed: Billed | undefined }> {
  const { requestId, caller, bodyHash, cap } = call;
  const { asset } = named.model;
  const { account, keyId } = caller;
  const request = { asset, bodyHash, account: account as Hash, assurance: "exact", cap } as const;
  const route = await routeRequest(request, deps.market);
  // a caller that leaves does not end the work: its answer is still cut, settled and written down, at a stop too
  const { promise: done, resolve } = Promise.withResolvers<void>();
  deps.inBackground(() => done);
  let reserved = ZERO;
  const setAside = async (amount: BaseUnits): Promise<void> => {
    if (amount <= reserved) return;
    const more = baseUnits(amount - reserved);
    await reserve(deps.db, { requestId, keyId, gateway: deps.instance, amount: more });
    reserved = amount;
  };
  let cost = ZERO;
  try {
    await setAside(highestMaximum(route, maximumAt));
    const { result, inputs } = await work({ route, reroute });
    if (!inputs) return { result, billed: undefined };
    const receipt = await issueReceipt({ ...inputs, ...named, bodyHash }, deps);
    const receiptId = await storeReceipt(deps.db, receipt, {
      keyId,
      requestId,
      sealing: deps.sealing,
      nowMs: deps.now(),
    });
    cost = receipt.price;
    deps.tally.add({ name: "work", label: receipt.answer.payee, amount: cost });
    return { result, billed: { receipt, receiptId, cost } };
  } finally {
    await settle(deps.db, { requestId, cost }).finally(resolve);
  }

  /** By the chain's newest prices, if the caller's budget covers them too. */
  async function reroute(): Promise<Route | undefined> {
    await deps.market.refresh();
    try {
      const again = await routeRequest(request, deps.market);
      await setAside(highestMaximum(again, maximumAt));
      return again;
    } catch (error) {
      if (!NOT_AT_THESE_PRICES.has(codeOf(error))) throw error;
      return undefined;
    }
  }
}

const NOT_AT_THESE_PRICES = new Set(["budget.exhausted", "price.above_cap", "provider.none"]);
