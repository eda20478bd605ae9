import {
  assetIdFromUint,
  type BaseUnits,
  baseUnits,
  type ChannelId,
  confirmedBlock,
  toCompactSignature,
} from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import type { Logger } from "@foldmark/service";
import { type Address, type Hex, parseEventLogs } from "viem";
import { chainError, type Market } from "../chain/market.ts";
import type { MarketView } from "../chain/marketView.ts";
import type { Sender } from "../chain/transact.ts";
import type { Claim, Ledger } from "../store/ledger.ts";
import { gasOfRow, isDue, MAX_ROWS } from "./due.ts";
import { lower } from "./lower.ts";

/** The contract's statuses of a row, in its order. */
const STATUSES = ["redeemed", "clipped", "stale", "over_ceiling", "bad_signature", "slack_too_large"] as const;

export type RowOutcome = { channelId: ChannelId; status: (typeof STATUSES)[number]; paid: BaseUnits };
export type Redemption = { model: Hex; transaction: Hex; gasUsed: bigint; rows: RowOutcome[]; total: BaseUnits };

export type RedeemerDeps = {
  market: Market;
  view: MarketView;
  sender: Sender;
  ledger: Ledger;
  payee: Address;
  /** Base units for 10^18 wei. */
  nativePrice: BaseUnits;
  log: Logger;
};

/** Takes signed totals to the chain: never more under a ceiling than its Answer says, since that is what is stored. */
export class Redeemer {
  readonly #deps: RedeemerDeps;
  readonly #leaving = new Set<ChannelId>();
  /** What the contract refused, by channel: sent again when somebody asks for it or the claim has changed. */
  readonly #refused = new Map<ChannelId, BaseUnits>();
  #hasReadExits = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: RedeemerDeps) {
    this.#deps = deps;
  }

  /** The payer of a channel wants out: what it owes is redeemed at the next look, whatever the gas. */
  exitStarted(channelId: ChannelId): void {
    this.#leaving.add(channelId);
  }

  /** Redeems what is worth it, or about to be lost. @throws `chain.*` */
  redeemDue(): Promise<Redemption[]> {
    return this.#exclusive(async () => {
      const claims = this.#deps.ledger.claims();
      return this.#redeem(
        await this.#due(claims.filter(({ channelId, amount }) => this.#refused.get(channelId) !== amount)),
      );
    });
  }

  /** Redeems everything that is owed. @throws `chain.*` */
  redeemAll(): Promise<Redemption[]> {
    return this.#exclusive(() => this.#redeem(this.#deps.ledger.claims()));
  }

  async #due(claims: Claim[]): Promise<Claim[]> {
    if (claims.length === 0) return [];
    const { market, view, nativePrice } = this.#deps;
    await this.#readExits(claims);
    const gasPrice = await market.chain.client.getGasPrice().catch((error) => {
      throw chainError(error, "read the gas price");
    });
    const { noticeSeconds } = view.terms;
    return [...byModel(claims).values()].flatMap((open) => {
      const gas = gasOfRow({ rows: open.length, gasPrice, nativePrice });
      return open.filter((claim) =>
        isDue(claim, { gas, now: view.now(), noticeSeconds, isLeaving: this.#leaving.has(claim.channelId) }),
      );
    });
  }

  /** Exits that began while nobody watched; later ones are told by their events. */
  async #readExits(claims: Claim[]): Promise<void> {
    if (this.#hasReadExits) return;
    const { chain, deployment } = this.#deps.market;
    await Promise.all(
      claims.map(async ({ channelId }) => {
        const { amount } = await chain.client
          .readContract({
            ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi },
            ...{ functionName: "exitOf", args: [channelId] },
          })
          .catch((error) => {
            throw chainError(error, "read an exit");
          });
        if (amount > 0n) this.#leaving.add(channelId);
      }),
    );
    this.#hasReadExits = true;
  }

  async #redeem(claims: Claim[]): Promise<Redemption[]> {
    const done: Redemption[] = [];
    for (const [model, open] of byModel(await this.#payable(claims)))
      for (let at = 0; at < open.length; at += MAX_ROWS)
        done.push(await this.#send(model, open.slice(at, at + MAX_ROWS)));
    return done;
  }

  /**
   * What the chain would still pay something for. The ledger learns what it has paid already, as soon as that is deep
   * enough to stay.
   */
  async #payable(claims: Claim[]): Promise<Claim[]> {
    const balances = await Promise.all(claims.map(({ channelId }) => this.#balance(channelId)));
    return claims.flatMap((claim, at) => {
      const balance = balances[at];
      if (!balance) return [];
      this.#deps.ledger.redeemed(claim.channelId, balance.confirmed);
      return lower(claim.amount, balance.deposit) > balance.redeemed ? [{ ...claim, redeemed: balance.redeemed }] : [];
    });
  }

  async #balance(channelId: ChannelId): Promise<{ deposit: BaseUnits; redeemed: BaseUnits; confirmed: BaseUnits }> {
    const { chain, deployment } = this.#deps.market;
    const contract = { address: deployment.contracts.channels, abi: paymentChannelsAbi, args: [channelId] as const };
    try {
      const head = await chain.client.getBlockNumber();
      const blockNumber = confirmedBlock({ head, confirmations: chain.confirmations });
      const [{ deposit, redeemed }, deep] = await Promise.all([
        chain.client.readContract({ ...contract, functionName: "balanceOf" }),
        chain.client.readContract({ ...contract, functionName: "balanceOf", blockNumber }),
      ]);
      return { deposit: baseUnits(deposit), redeemed: baseUnits(redeemed), confirmed: lower(deep.redeemed, redeemed) };
    } catch (error) {
      throw chainError(error, "read a channel");
    }
  }

  async #send(model: bigint, claims: Claim[]): Promise<Redemption> {
    const { market, sender, ledger, payee, log } = this.#deps;
    const rows = claims.map(({ terms, ceiling, amount, signature }) => ({
      ...{ payer: terms.payer, signer: terms.signer, salt: terms.salt },
      ...{ maxClaimableAmount: ceiling, amount, ...toCompactSignature(signature) },
    }));
    const receipt = await sender.send("redeem vouchers", (wallet) =>
      wallet.writeContract({
        ...{ address: market.deployment.contracts.channels, abi: paymentChannelsAbi },
        ...{ functionName: "redeem", args: [payee, model, rows] },
      }),
    );
    const events = parseEventLogs({ abi: paymentChannelsAbi, eventName: "Redeemed", logs: receipt.logs });
    const outcomes = claims.map(({ channelId, redeemed: before }): RowOutcome => {
      const event = events.find(({ args }) => args.id === channelId);
      if (event) ledger.redeemed(channelId, baseUnits(event.args.redeemed));
      this.#leaving.delete(channelId);
      const paid = event && event.args.redeemed > before ? event.args.redeemed - before : 0n;
      return { channelId, status: STATUSES[event?.args.status ?? 0] ?? "redeemed", paid: baseUnits(paid) };
    });
    for (const [at, { channelId, status }] of outcomes.entries()) {
      if (status !== "redeemed") log.warn({ channel: channelId, status }, "a voucher was not redeemed in full");
      const claim = claims[at];
      if (claim && status !== "redeemed" && status !== "clipped") this.#refused.set(channelId, claim.amount);
    }
    const total = baseUnits(outcomes.reduce((sum, { paid }) => sum + paid, 0n));
    const redemption = {
      model: assetIdFromUint(model),
      transaction: receipt.transactionHash,
      gasUsed: receipt.gasUsed,
      rows: outcomes,
      total,
    };
    log.info({ channels: rows.length, total, gasUsed: receipt.gasUsed, tx: receipt.transactionHash }, "redeemed");
    return redemption;
  }

  /** One look at a time: two would redeem the same rows. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

function byModel(claims: Claim[]): Map<bigint, Claim[]> {
  return Map.groupBy(claims, ({ terms }) => terms.model);
}
