import {
  assetIdFromUint,
  type BaseUnits,
  baseUnits,
  type ChannelId,
  mulDivUp,
  toCompactSignature,
} from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import type { Logger } from "@foldmark/service";
import { type Address, type Hex, parseEventLogs } from "viem";
import { chainError, type Market } from "../chain/market.ts";
import type { MarketView } from "../chain/marketView.ts";
import type { Sender } from "../chain/transact.ts";
import type { Claim, Ledger } from "../store/ledger.ts";
import { lower } from "./lower.ts";

/** Gas of one redemption of n rows, a little above what was measured: the rule needs an upper bound. */
const GAS_BASE = 60_000n;
const GAS_PER_ROW = 25_000n;
/** Rows of one transaction. */
const MAX_ROWS = 50;
/** Redeem when a hundredth of what is owed is more than the gas. */
const GAS_SHARE = 100n;
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
      const { market, ledger } = this.#deps;
      const claims = ledger.claims();
      if (claims.length === 0) return [];
      const gasPrice = await market.chain.client.getGasPrice().catch((error) => {
        throw chainError(error, "read the gas price");
      });
      return this.#redeem(claims, (open, batch) => open.filter((claim) => this.#isDue(claim, { gasPrice, batch })));
    });
  }

  /** Redeems everything that is owed. @throws `chain.*` */
  redeemAll(): Promise<Redemption[]> {
    return this.#exclusive(() => this.#redeem(this.#deps.ledger.claims(), (open) => open));
  }

  #isDue(
    { channelId, amount, redeemed, owingSince }: Claim,
    { gasPrice, batch }: { gasPrice: bigint; batch: bigint },
  ): boolean {
    const { view, nativePrice } = this.#deps;
    if (this.#leaving.has(channelId)) return true;
    if (view.now() - BigInt(owingSince) > view.terms.noticeSeconds / 2n) return true;
    const gas = mulDivUp((GAS_BASE / batch + GAS_PER_ROW) * gasPrice, nativePrice, 10n ** 18n);
    return amount - redeemed > gas * GAS_SHARE;
  }

  async #redeem(claims: Claim[], choose: (open: Claim[], batch: bigint) => Claim[]): Promise<Redemption[]> {
    const byModel = new Map<bigint, Claim[]>();
    for (const claim of await this.#payable(claims))
      byModel.set(claim.terms.model, [...(byModel.get(claim.terms.model) ?? []), claim]);
    const done: Redemption[] = [];
    for (const [model, open] of byModel) {
      const chosen = choose(open, BigInt(Math.min(open.length, MAX_ROWS)));
      for (let at = 0; at < chosen.length; at += MAX_ROWS)
        done.push(await this.#send(model, chosen.slice(at, at + MAX_ROWS)));
    }
    return done;
  }

  /** What the chain would still pay something for; the ledger learns what it has paid already. */
  async #payable(claims: Claim[]): Promise<Claim[]> {
    const balances = await Promise.all(claims.map(({ channelId }) => this.#balance(channelId)));
    return claims.flatMap((claim, at) => {
      const balance = balances[at];
      if (!balance) return [];
      this.#deps.ledger.redeemed(claim.channelId, balance.redeemed);
      return lower(claim.amount, balance.deposit) > balance.redeemed ? [{ ...claim, redeemed: balance.redeemed }] : [];
    });
  }

  async #balance(channelId: ChannelId): Promise<{ deposit: BaseUnits; redeemed: BaseUnits }> {
    const { chain, deployment } = this.#deps.market;
    try {
      const { deposit, redeemed } = await chain.client.readContract({
        ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi },
        ...{ functionName: "balanceOf", args: [channelId] },
      });
      return { deposit: baseUnits(deposit), redeemed: baseUnits(redeemed) };
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
    for (const { channelId, status } of outcomes)
      if (status !== "redeemed") log.warn({ channel: channelId, status }, "a voucher was not redeemed in full");
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
