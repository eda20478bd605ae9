import {
  type AnswerRequest,
  answerRequestCodec,
  assetIdFromUint,
  assetIdToUint,
  type BaseUnits,
  type ChannelId,
  type ChannelState,
  channelIdOf,
  type Domain,
  decodePaymentHeader,
  FoldmarkError,
  isSameAddress,
  MAX_TIMEOUT_SECONDS,
  networkOf,
  openPayeeLedger,
  PAYMENT_SCHEME,
  type Payment,
  type PaymentTerms,
  type Prices,
  recoverVoucherSigner,
  takeVoucher,
  totalReserved,
  type VoucherVerdict,
} from "@foldmark/protocol";
import type { Address } from "viem";
import type { ChannelFunds, MarketView } from "../chain/marketView.ts";
import type { EngineJob, RequestSize, ServedModel } from "../engine/answerEngine.ts";
import type { Ledger } from "../store/ledger.ts";
import { maximumOf } from "./price.ts";
import { Refusal } from "./refusal.ts";

/** A request whose voucher is on disk: from here on its ceiling is used. */
export type AcceptedRequest = {
  channelId: ChannelId;
  ceiling: BaseUnits;
  model: ServedModel;
  prices: Prices;
  size: RequestSize;
  job: EngineJob;
};

export type AdmissionDeps = {
  payee: Address;
  domain: Domain;
  models: ReadonlyMap<string, ServedModel>;
  market: MarketView;
  ledger: Ledger;
  /** The least deposit that is worth redeeming. */
  minimumDeposit: BaseUnits;
  /** Throws `node.busy` when nothing more may wait. */
  checkRoom(): void;
};

/**
 * Everything that is checked before any work, in the order of docs/provider-protocol.md: body, model and prices, the
 * program's own limits, the voucher, room. Nothing is written before all of it holds, and nothing waits between the last
 * check and the write.
 * @throws `Refusal`, `FoldmarkError`
 */
export async function admit(
  { body, payment: header }: { body: unknown; payment: string | undefined },
  deps: AdmissionDeps,
): Promise<AcceptedRequest> {
  const request = parseBody(body);
  const model = deps.models.get(request.model);
  const prices = model && deps.market.prices(model.asset);
  if (!model || !prices)
    throw new FoldmarkError("model.unknown", `This node does not serve ${request.model}.`, {
      details: { model: request.model },
    });
  if (!samePrices(request.prices, prices))
    throw new Refusal("price.changed", "The quoted prices are not this node's.", {
      beside: { prices },
      hint: "Read the offer again, or take the prices beside this error.",
    });
  const size = model.measure(request.request);
  const maximum = maximumOf(size, prices);
  const terms = termsOf(model, maximum, deps);
  const payment = readPayment(header, terms);
  const signer = await recoverSigner(payment, terms, deps);
  if (!deps.market.hasStake())
    throw new FoldmarkError("stake.too_low", "The node's stake is too low to answer for more.", {
      details: { retryAfterSeconds: 60 },
    });
  const channelId = channelIdOf(deps.domain, payment.payload.channel);
  const ceiling = payment.payload.voucher.maxClaimableAmount;
  const funds = await deps.market.channel(channelId, { atLeast: ceiling });

  // from here to the write nothing waits: two requests on one channel see each other
  const account = deps.ledger.channel(channelId);
  const verdict = takeVoucher(account?.ledger ?? openPayeeLedger(funds), payment.payload.voucher, {
    channel: payment.payload.channel,
    channelId,
    signer,
    payee: deps.payee,
    model: assetIdToUint(model.asset),
    maximum,
    deposit: funds.deposit,
    pendingExit: funds.pendingExit,
    minimumDeposit: deps.minimumDeposit,
  });
  if (verdict.status === "refused")
    throw refuse(verdict, { terms, channel: channelState(channelId, funds, deps.ledger) });
  deps.checkRoom();
  deps.ledger.accept(
    {
      channelId,
      terms: payment.payload.channel,
      ceiling,
      signature: payment.payload.signature,
      maximum,
      redeemed: funds.redeemed,
    },
    Number(deps.market.now()),
  );
  const { request: tensors, hint } = request;
  const job = { asset: model.asset, request: tensors, ...(hint === undefined ? {} : { hint }) };
  return { channelId, ceiling, model, prices, size, job };
}

/** What this node accepts to be paid by. `amount` is the request's maximum. */
export function termsOf(
  model: ServedModel,
  amount: BaseUnits,
  { payee, domain, market }: Pick<AdmissionDeps, "payee" | "domain" | "market">,
): PaymentTerms {
  return {
    scheme: PAYMENT_SCHEME,
    network: networkOf(domain.chainId),
    amount,
    asset: market.terms.token,
    payTo: payee,
    maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
    extra: { channels: domain.verifyingContract, model: model.asset },
  };
}

/** What this node and the chain know of a channel. */
export function channelState(channelId: ChannelId, funds: ChannelFunds, ledger: Ledger): ChannelState {
  const account = ledger.channel(channelId);
  const { charged, reserved } = { charged: funds.redeemed, reserved: [], ...account?.ledger };
  return {
    channelId,
    ...funds,
    charged,
    reserved: totalReserved({ charged, reserved, highestCeiling: charged }),
    ...(account && {
      highest: { maxClaimableAmount: account.highest.ceiling, signature: account.highest.signature },
    }),
  };
}

function parseBody(body: unknown): AnswerRequest {
  const parsed = answerRequestCodec.safeParse(body);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  throw new FoldmarkError("request.invalid", `The request is not valid: ${issues.join("; ")}.`, {
    details: { fields: parsed.error.issues.map(({ path }) => path.join(".")), issues },
  });
}

const samePrices = (a: Prices, b: Prices) => a.in === b.in && a.out === b.out && a.unit === b.unit;

/** @throws `voucher.missing`, `voucher.invalid` */
export function readPayment(header: string | undefined, terms: PaymentTerms): Payment {
  if (header === undefined)
    throw new Refusal("voucher.missing", "An answer is paid by a voucher in the payment header.", {
      beside: { terms },
    });
  const payment = decode(header, terms);
  const { scheme, network, asset, payTo, extra } = payment.accepted;
  const isOurs =
    scheme === terms.scheme &&
    network === terms.network &&
    isSameAddress(asset, terms.asset) &&
    isSameAddress(payTo, terms.payTo) &&
    isSameAddress(extra.channels, terms.extra.channels) &&
    extra.model === terms.extra.model;
  if (!isOurs)
    throw new Refusal("voucher.invalid", "The payment accepts other terms than this node's.", {
      beside: { terms },
      hint: "Take the terms of the PAYMENT-REQUIRED header.",
    });
  return payment;
}

function decode(header: string, terms: PaymentTerms): Payment {
  try {
    return decodePaymentHeader(header);
  } catch (error) {
    if (!(error instanceof FoldmarkError)) throw error;
    throw new Refusal("voucher.invalid", error.message, { beside: { terms }, cause: error });
  }
}

async function recoverSigner({ payload }: Payment, terms: PaymentTerms, { domain }: AdmissionDeps): Promise<Address> {
  try {
    return await recoverVoucherSigner(domain, payload);
  } catch (error) {
    if (!(error instanceof FoldmarkError)) throw error;
    throw new Refusal("voucher.wrong_signer", "The voucher's signature is no signature.", {
      beside: { terms },
      cause: error,
    });
  }
}

function refuse(
  verdict: Extract<VoucherVerdict, { status: "refused" }>,
  beside: { terms: PaymentTerms; channel: ChannelState },
): Refusal {
  switch (verdict.reason) {
    case "wrong_channel":
      return new Refusal("voucher.invalid", "The voucher is for another channel than the one beside it.", {
        details: { channelId: verdict.channelId, expected: verdict.expected },
        beside: { terms: beside.terms },
      });
    case "wrong_payee":
      return new Refusal("voucher.invalid", "The channel pays somebody else.", {
        details: { payee: verdict.payee, expected: verdict.expected },
        beside: { terms: beside.terms },
      });
    case "wrong_model":
      return new Refusal("voucher.invalid", "The channel is for another model.", {
        details: { model: assetIdFromUint(verdict.model), expected: assetIdFromUint(verdict.expected) },
        beside: { terms: beside.terms },
      });
    case "wrong_signer":
      return new Refusal("voucher.wrong_signer", "The voucher is not signed by the channel's signer.", {
        details: { signer: verdict.signer, expected: verdict.expected },
        beside: { terms: beside.terms },
      });
    case "stale":
      return new Refusal("voucher.stale", `A voucher for ${verdict.highest} was seen on this channel.`, {
        details: { ceiling: verdict.ceiling.toString(), highest: verdict.highest.toString() },
        hint: "Sign above the highest one.",
        beside,
      });
    case "too_low":
      return new Refusal(
        "voucher.too_low",
        `The voucher covers ${verdict.ceiling}, this request needs ${verdict.needed}.`,
        {
          details: { ceiling: verdict.ceiling.toString(), needed: verdict.needed.toString() },
          hint: "Sign a voucher for at least `needed` and send the request again.",
          beside,
        },
      );
    case "deposit_too_small":
      return new Refusal("channel.exhausted", `The deposit of ${verdict.deposit} is not worth redeeming.`, {
        details: { deposit: verdict.deposit.toString(), minimum: verdict.minimum.toString() },
        hint: "Deposit at least `minimum` into the channel.",
        beside,
      });
    case "exhausted":
      return new Refusal(
        "channel.exhausted",
        `The voucher is for ${verdict.ceiling}, the channel holds ${verdict.available}.`,
        {
          details: { ceiling: verdict.ceiling.toString(), available: verdict.available.toString() },
          hint: "Deposit into the channel and wait for the node's confirmations.",
          beside,
        },
      );
    default:
      verdict satisfies never;
      throw new Error("a refusal without a reason");
  }
}
