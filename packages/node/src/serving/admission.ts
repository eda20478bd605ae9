import {
  type AnswerRequest,
  type AssetId,
  answerRequestCodec,
  assetIdToUint,
  type BaseUnits,
  type ChannelId,
  channelIdOf,
  type Domain,
  FoldmarkError,
  openPayeeLedger,
  type Prices,
  takeVoucher,
} from "@foldmark/protocol";
import type { Address } from "viem";
import type { MarketView } from "../chain/marketView.ts";
import type { EngineJob, RequestSize, ServedModel } from "../engine/answerEngine.ts";
import type { Ledger } from "../store/ledger.ts";
import { channelState } from "./channelState.ts";
import { readPayment, recoverPaymentSigner, termsOf } from "./payment.ts";
import { maximumOf } from "./price.ts";
import { Refusal } from "./refusal.ts";
import type { Place } from "./scheduler.ts";
import { voucherRefusal } from "./voucherRefusal.ts";

/** A request whose voucher is on disk: from here on its ceiling is used. */
export type AcceptedRequest = {
  channelId: ChannelId;
  ceiling: BaseUnits;
  payer: Address;
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
  /** Throws `node.not_serving` for a job that could be so long that this node could not defend it in time. */
  checkLength(asset: AssetId, T: number): void;
  /** Throws `node.busy` when nothing more of this payer may wait. */
  checkRoom(place: Place): void;
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
  if (request.hint && size.kind === "simulation")
    throw new FoldmarkError("request.invalid", "A simulation has no answer tokens to hint at.", {
      details: { fields: ["hint"] },
    });
  deps.checkLength(model.asset, size.kind === "chat" ? size.promptTokens + size.limit : size.steps);
  const maximum = maximumOf(size, prices);
  const terms = termsOf(model, maximum, deps);
  const payment = readPayment(header, terms);
  const signer = await recoverPaymentSigner(payment, terms, deps.domain);
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
    throw voucherRefusal(verdict, { terms, channel: channelState(channelId, funds, deps.ledger) });
  const { payer } = payment.payload.channel;
  deps.checkRoom({ payer, asset: model.asset });
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
  const job = { asset: model.asset, payer, request: tensors, ...(hint === undefined ? {} : { hint }) };
  return { channelId, ceiling, payer, model, prices, size, job };
}

/** A body of nothing but mistakes gets no answer that is many times as long. */
const SHOWN_ISSUES = 8;

function parseBody(body: unknown): AnswerRequest {
  const parsed = answerRequestCodec.safeParse(body);
  if (parsed.success) return parsed.data;
  const first = parsed.error.issues.slice(0, SHOWN_ISSUES);
  const issues = first.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  throw new FoldmarkError("request.invalid", `The request is not valid: ${issues.join("; ")}.`, {
    details: { fields: first.map(({ path }) => path.join(".")), issues },
  });
}

const samePrices = (a: Prices, b: Prices) => a.in === b.in && a.out === b.out && a.unit === b.unit;
