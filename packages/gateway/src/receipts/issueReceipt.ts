import { type Hash, type Receipt, type ReceiptContent, type Signer, signReceipt } from "@foldmark/protocol";
import type { ServedModel } from "../models/servedModel.ts";
import type { Accepted } from "../serving/acceptance.ts";
import type { Skipped } from "../serving/failure.ts";
import type { Route } from "../serving/route.ts";

export type ReceiptInputs = {
  model: ServedModel;
  alias: { name: string; block: bigint } | undefined;
  bodyHash: Hash;
  seedByGateway: boolean;
  accepted: Accepted;
  usage: { promptTokens: number; answerTokens: number };
  cut: ReceiptContent["cut"];
  route: Route;
  skipped: Skipped[];
};

export type IssuerDeps = { signer: Signer; chainId: number; channels: `0x${string}`; now: () => number };

/** Writes down everything that an answer can be checked by, and signs it with the key of the gateway's channels. */
export function issueReceipt(inputs: ReceiptInputs, { signer, chainId, channels, now }: IssuerDeps): Promise<Receipt> {
  const { model, alias, bodyHash, seedByGateway, accepted, usage, cut, route, skipped } = inputs;
  const { signed, preimage, payment, price, prices, request, claimed } = accepted;
  const { asset, modelId, packageHash, kind } = model;
  return signReceipt(signer, {
    version: 1,
    kind,
    chainId,
    channels,
    bodyHash,
    model: { asset, modelId, packageHash, assurance: route.record.rules.assurance, ...(alias && { alias }) },
    seedByGateway,
    request,
    claimed,
    preimage,
    answer: signed.answer,
    answerSignature: signed.signature,
    channel: payment.payload.channel,
    price,
    prices,
    usage,
    routing: { ...route.record, skipped },
    ...(cut && { cut }),
    gateway: signer.address,
    issuedAt: BigInt(Math.floor(now() / 1000)),
  });
}
