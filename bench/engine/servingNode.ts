import {
  assetIdToUint,
  baseUnits,
  channelIdOf,
  encodePaymentHeader,
  foldmarkDomain,
  type PaymentEvent,
  paymentEventCodec,
  signVoucher,
} from "@foldmark/protocol";
import { privateKeyToAccount } from "viem/accounts";
import { z } from "zod";
import type { MarketView } from "../../packages/node/src/chain/marketView.ts";
import type { Completion } from "../../packages/node/src/engine/answerEngine.ts";
import { openModel } from "../../packages/node/src/engine/openModel.ts";
import { nodeKey } from "../../packages/node/src/keystore/keystore.ts";
import { type AcceptedRequest, type AdmissionDeps, admit } from "../../packages/node/src/serving/admission.ts";
import { termsOf } from "../../packages/node/src/serving/payment.ts";
import { maximumOf } from "../../packages/node/src/serving/price.ts";
import { type SignAnswerDeps, signAnswer } from "../../packages/node/src/serving/signAnswer.ts";
import { Ledger } from "../../packages/node/src/store/ledger.ts";
import { sealedBox } from "../../packages/node/src/store/sealedBox.ts";

const CHANNELS = "0x00000000000000000000000000000000000000bb";
const TOKEN = "0x00000000000000000000000000000000000000cc";
const CHAIN = 31_337;
const PRICES = { in: baseUnits(100_000n), out: baseUnits(400_000n), unit: baseUnits(0n) };
const DEPOSIT = baseUnits(10n ** 12n);

/** What a payer sends: a body and a payment for at most what it can cost. */
export type Order = { body: unknown; payment: string };
export type ServingNode = Disposable & {
  /** A new order, its voucher above the last one. */
  order(request: readonly Uint8Array[]): Promise<Order>;
  accept(order: Order): Promise<AcceptedRequest>;
  /** The payment event as it goes out; it is on disk. */
  sign(accepted: AcceptedRequest, completion: Completion): string;
};

/** The paid part of a node by its own code, with a ledger in `folder`; what a chain would say is given here. */
export async function openServingNode(dir: string, { folder }: { folder: string }): Promise<ServingNode> {
  const key = nodeKey(`0x${"0a".repeat(32)}`);
  const payer = privateKeyToAccount(`0x${"0b".repeat(32)}`);
  const domain = foldmarkDomain({ chainId: CHAIN, channels: CHANNELS });
  const model = await openModel(dir);
  const owner = { payee: key.address, chainId: CHAIN, channels: domain.verifyingContract };
  const ledger = Ledger.open(folder, { owner, box: sealedBox(key.secret()) });
  const market: MarketView = {
    terms: { token: TOKEN, windowSeconds: 600n, clocksSeconds: 600n, noticeSeconds: 600n, penalty: baseUnits(1n) },
    now: () => 1_000_000n,
    prices: () => PRICES,
    capacity: () => 1,
    hasStake: () => true,
    channel: async () => ({ deposit: DEPOSIT, pendingExit: baseUnits(0n), redeemed: baseUnits(0n) }),
  };
  const deps: AdmissionDeps & SignAnswerDeps = {
    ...{ payee: key.address, domain, key, ledger, market, models: new Map([[model.asset as string, model]]) },
    minimumDeposit: baseUnits(0n),
    checkLength() {},
    checkRoom() {},
  };
  const channel = {
    ...{ payer: payer.address, signer: payer.address, payee: key.address },
    ...{ model: assetIdToUint(model.asset), salt: `0x${"00".repeat(32)}` as const },
  };
  let ceiling = 0n;
  return {
    async order(request) {
      const maximum = maximumOf(model.measure(request), PRICES);
      ceiling += maximum;
      const voucher = { channelId: channelIdOf(domain, channel), maxClaimableAmount: baseUnits(ceiling) };
      const payment = encodePaymentHeader({
        ...{ x402Version: 2, accepted: termsOf(model, maximum, deps) },
        payload: { type: "voucher", channel, voucher, signature: await signVoucher(payer, domain, voucher) },
      });
      const tensors = request.map((tensor) => Buffer.from(tensor).toString("base64"));
      const prices = { in: `${PRICES.in}`, out: `${PRICES.out}`, unit: `${PRICES.unit}` };
      return { body: { model: model.asset, request: tensors, prices }, payment };
    },
    accept: (order) => admit(order, deps),
    sign(accepted, completion) {
      const event: PaymentEvent = signAnswer(accepted, completion, deps);
      return JSON.stringify(z.encode(paymentEventCodec, event));
    },
    [Symbol.dispose]: () => ledger.close(),
  };
}
