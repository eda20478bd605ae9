import {
  type Answer,
  type AnswerContext,
  type AnswerVerdict,
  type AssetId,
  acceptAnswer,
  assetIdToUint,
  type BaseUnits,
  baseUnits,
  type Channel,
  type ChannelId,
  type ChannelState,
  channelIdOf,
  closeWithoutAnswer,
  type Domain,
  FoldmarkError,
  isSameAddress,
  MAX_TIMEOUT_SECONDS,
  networkOf,
  PAYMENT_SCHEME,
  type PayerLedger,
  type Payment,
  putInFlight,
  recoverVoucherSigner,
  type Signer,
  signVoucher,
} from "@foldmark/protocol";
import type { Address, Hex } from "viem";
import {
  type ChannelRecord,
  closeVoucher,
  findChannelRecord,
  openChannelRecord,
  stopChannel,
  storeLedger,
  storeVoucher,
} from "../store/ledgers.ts";
import type { Database } from "../store/open.ts";
import type { Deposits } from "./deposits.ts";
import type { Mutex } from "./mutex.ts";

export type PayerOptions = {
  domain: Domain;
  token: Address;
  /** Tells this gateway's channels from those of another one with the same key. */
  salt: Hex;
};

export type PayerDeps = { db: Database; signer: Signer; deposits: Deposits; mutex: Mutex; now: () => number };

/**
 * What is bought, and from whom. `evidence` is kept, encrypted, until the voucher is closed; `waitMs` is how long other
 * requests on the channel may be waited for.
 */
export type Purchase = {
  payee: Address;
  asset: AssetId;
  maximum: BaseUnits;
  evidence: Uint8Array;
  waitMs: number;
};

/** A voucher that is stored and may be sent. `release` lets the next voucher on this channel be signed. */
export type Signed = { payment: Payment; depositedAt: number | undefined; release: () => void };

/** What `acceptAnswer` needs besides what the payer knows by itself. */
export type Accepting = Pick<
  AnswerContext,
  "statementId" | "price" | "key" | "answerableUntil" | "stake" | "terms" | "now"
>;

/** Refusals after which a channel is not used again: what was signed or charged is not what was bought. */
const BREAKING = new Set(["wrong_statement", "charge_above_ceiling", "overcharged"]);

/**
 * Vouchers of a channel whose end its provider owes us before no other is signed on it. A provider that takes
 * vouchers and never answers can redeem this many maxima (and those of requests at once), not one more with each request.
 */
const MAX_LOST = 4;

/** Pays providers: one channel for each of them and each asset, one voucher at a time on a channel. */
export class Payer {
  readonly #options: PayerOptions;
  readonly #deps: PayerDeps;
  /** Records of the channels in use, as they are stored. Nobody else writes them: channels of another gateway have another salt. */
  readonly #records = new Map<ChannelId, ChannelRecord>();
  /** Ceilings of vouchers whose end the provider was asked for and does not tell. */
  readonly #lost = new Map<ChannelId, Set<bigint>>();

  constructor(options: PayerOptions, deps: PayerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get address(): Address {
    return this.#deps.signer.address;
  }

  channelOf({ payee, asset }: { payee: Address; asset: AssetId }): { channel: Channel; id: ChannelId } {
    const { address } = this.#deps.signer;
    const channel = { payer: address, signer: address, payee, model: assetIdToUint(asset), salt: this.#options.salt };
    return { channel, id: channelIdOf(this.#options.domain, channel) };
  }

  /**
   * Signs and stores a voucher, making the deposit cover it first. The channel is locked until `release`.
   * @throws `channel.exhausted` on a channel that was stopped or has too many vouchers without a known end, `node.busy`
   * where its turn does not come, and what `Deposits.cover` throws
   */
  async sign({ payee, asset, maximum, evidence, waitMs }: Purchase): Promise<Signed> {
    const { db, deposits, now } = this.#deps;
    const { channel, id } = this.channelOf({ payee, asset });
    const release = await this.#turn(id, waitMs);
    try {
      const lost = this.#lost.get(id)?.size ?? 0;
      if (lost >= MAX_LOST)
        throw new FoldmarkError("channel.exhausted", `${payee} has not said how ${lost} earlier requests ended.`, {
          details: { channelId: id, lost },
        });
      const record = await this.#open({ payee, asset });
      if (record.stopped)
        throw new FoldmarkError("channel.exhausted", `The channel with ${payee} is stopped: ${record.stopped}.`, {
          details: { channelId: id },
        });
      const { ceiling, ledger } = putInFlight(record.ledger, maximum);
      const depositedAt = await deposits.cover(channel, id, ceiling);
      const payment = await this.#payment({ channel, id, ceiling, maximum, asset });
      const voucher = { ceiling, maximum, signature: payment.payload.signature, evidence };
      await this.#write(record, ledger, () => storeVoucher(db, id, { voucher, ledger, nowMs: now() }));
      return { payment, depositedAt, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Makes sure that a channel could pay for a request of this maximum, for the case that one comes. */
  async prepare({ payee, asset, maximum }: Pick<Purchase, "payee" | "asset" | "maximum">): Promise<void> {
    const { deposits, mutex } = this.#deps;
    const { channel, id } = this.channelOf({ payee, asset });
    const release = await mutex.take(id);
    try {
      const { stopped, ledger } = await this.#open({ payee, asset });
      if (!stopped) await deposits.cover(channel, id, putInFlight(ledger, maximum).ceiling);
    } finally {
      release();
    }
  }

  /** The payment of a voucher that was signed before, to ask for its answer. */
  paymentOf(voucher: { payee: Address; asset: AssetId; ceiling: bigint; maximum: bigint; signature: Hex }): Payment {
    const { channel, id } = this.channelOf(voucher);
    return {
      x402Version: 2,
      accepted: this.#terms(channel, voucher.asset, baseUnits(voucher.maximum)),
      payload: {
        type: "voucher",
        channel,
        voucher: { channelId: id, maxClaimableAmount: baseUnits(voucher.ceiling) },
        signature: voucher.signature,
      },
    };
  }

  /**
   * Takes up the channel's state as the provider knows it, after our records were lost: only if the last voucher in it
   * carries our own signature. What the provider says of its charges counts up to that voucher's ceiling.
   * @returns whether anything changed, that is whether a voucher signed now can be another one
   * @throws `voucher.wrong_signer` for a voucher that we never signed
   */
  async adopt(payment: Payment, state: ChannelState): Promise<boolean> {
    const { db, signer, mutex } = this.#deps;
    const { channelId } = payment.payload.voucher;
    const { highest } = state;
    if (state.channelId !== channelId || !highest) return false;
    const voucher = { channelId, maxClaimableAmount: highest.maxClaimableAmount };
    const signed = { voucher, signature: highest.signature };
    const by = await recoverVoucherSigner(this.#options.domain, signed).catch(() => undefined);
    if (!by || !isSameAddress(by, signer.address))
      throw new FoldmarkError("voucher.wrong_signer", "The provider shows a voucher that this gateway never signed.", {
        details: { channelId, by },
      });
    const release = await mutex.take(channelId);
    try {
      const record = await this.#record(channelId);
      const { ledger } = record;
      if (highest.maxClaimableAmount <= ledger.lastCeiling) return false;
      const promised = least(highest.maxClaimableAmount, state.charged);
      const sum = most(promised, ledger.sum);
      const largestCharged = most(sum, ledger.largestCharged);
      const adopted = { ...ledger, sum, largestCharged, lastCeiling: highest.maxClaimableAmount };
      await this.#write(record, adopted, () => storeLedger(db, channelId, adopted));
      return true;
    } finally {
      release();
    }
  }

  /** The provider does not tell how this voucher ended, or signed what is no answer: its maximum stays at risk. */
  lose({ payload: { voucher } }: Payment): void {
    const ceilings = this.#lost.get(voucher.channelId) ?? new Set();
    this.#lost.set(voucher.channelId, ceilings.add(voucher.maxClaimableAmount));
  }

  /** Nothing was signed under this voucher, and nothing will be. */
  async close(payment: Payment): Promise<void> {
    const { channelId, maxClaimableAmount: ceiling } = payment.payload.voucher;
    const release = await this.#deps.mutex.take(channelId);
    try {
      const record = await this.#record(channelId);
      const ledger = closeWithoutAnswer(record.ledger, ceiling);
      this.#found(payment);
      if (ledger.inFlight.length === record.ledger.inFlight.length) return;
      await this.#write(record, ledger, () =>
        closeVoucher(this.#deps.db, channelId, { ceiling, state: "none", ledger }),
      );
    } finally {
      release();
    }
  }

  /** Checks an Answer by the protocol's one rule and books it. After a refusal that breaks trust the channel is stopped. */
  async accept(payment: Payment, answer: Answer, accepting: Accepting): Promise<AnswerVerdict> {
    const { channelId, maxClaimableAmount: ceiling } = payment.payload.voucher;
    const { channel } = payment.payload;
    const release = await this.#deps.mutex.take(channelId);
    try {
      const record = await this.#record(channelId);
      const context = { ...accepting, payee: channel.payee, channelId, ceiling, ledger: record.ledger };
      const verdict = acceptAnswer(answer, context);
      if (verdict.status === "accepted") {
        const { ledger } = verdict;
        await this.#write(record, ledger, () =>
          closeVoucher(this.#deps.db, channelId, { ceiling, state: "answered", ledger }),
        );
        this.#found(payment);
      } else if (BREAKING.has(verdict.reason)) await this.#stop(channelId, verdict.reason);
      else if (verdict.reason !== "not_in_flight") this.lose(payment);
      return verdict;
    } finally {
      release();
    }
  }

  /** From now on no voucher is signed on this channel. */
  async stop(payment: Payment, reason: string): Promise<void> {
    const { channelId } = payment.payload.voucher;
    // a voucher that is being signed would write the record back as it was
    const release = await this.#deps.mutex.take(channelId);
    try {
      await this.#stop(channelId, reason);
    } finally {
      release();
    }
  }

  async #stop(channelId: ChannelId, reason: string): Promise<void> {
    await stopChannel(this.#deps.db, channelId, reason);
    this.#records.delete(channelId);
  }

  #found({ payload: { voucher } }: Payment): void {
    const ceilings = this.#lost.get(voucher.channelId);
    ceilings?.delete(voucher.maxClaimableAmount);
    if (ceilings?.size === 0) this.#lost.delete(voucher.channelId);
  }

  async #turn(id: ChannelId, waitMs: number): Promise<() => void> {
    const signal = AbortSignal.timeout(waitMs);
    try {
      return await this.#deps.mutex.take(id, { signal });
    } catch (cause) {
      throw new FoldmarkError("node.busy", "Earlier requests on the provider's channel have not been accepted yet.", {
        details: { channelId: id },
        cause,
      });
    }
  }

  /** The record of a channel, made where there is none. Only under the channel's lock. */
  async #open({ payee, asset }: { payee: Address; asset: AssetId }): Promise<ChannelRecord> {
    const { db, deposits, now } = this.#deps;
    const { channel, id } = this.channelOf({ payee, asset });
    const known = this.#records.get(id);
    if (known) return known;
    const redeemed = () => deposits.redeemed(id);
    const record = await openChannelRecord(db, { id, payee, asset, salt: channel.salt }, { redeemed, nowMs: now() });
    this.#records.set(id, record);
    return record;
  }

  /** The record of a channel that has one. Only under the channel's lock. */
  async #record(id: ChannelId): Promise<ChannelRecord> {
    const record = this.#records.get(id) ?? (await findChannelRecord(this.#deps.db, id));
    if (!record) throw new FoldmarkError("internal.bug", `There is no record of channel ${id}.`);
    this.#records.set(id, record);
    return record;
  }

  /** Writes a ledger, first to the store and then to memory; what was not stored is read again. */
  async #write(record: ChannelRecord, ledger: PayerLedger, store: () => Promise<void>): Promise<void> {
    this.#records.delete(record.id);
    await store();
    this.#records.set(record.id, { ...record, ledger });
  }

  async #payment(of: { channel: Channel; id: ChannelId; ceiling: BaseUnits; maximum: BaseUnits; asset: AssetId }) {
    const { channel, id, ceiling, maximum, asset } = of;
    const { signer } = this.#deps;
    const signature = await signVoucher(signer, this.#options.domain, { channelId: id, maxClaimableAmount: ceiling });
    return this.paymentOf({ payee: channel.payee, asset, ceiling, maximum, signature });
  }

  #terms(channel: Channel, asset: AssetId, maximum: BaseUnits) {
    const { domain, token } = this.#options;
    return {
      scheme: PAYMENT_SCHEME,
      network: networkOf(domain.chainId),
      amount: maximum,
      asset: token,
      payTo: channel.payee,
      maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
      extra: { channels: domain.verifyingContract, model: asset },
    } as const;
  }
}

const [least, most] = [
  (a: BaseUnits, b: BaseUnits): BaseUnits => (a > b ? b : a),
  (a: BaseUnits, b: BaseUnits): BaseUnits => (b > a ? b : a),
];
