import {
  baseUnits,
  type Channel,
  type Deployment,
  encodeReceipt,
  type PaymentEvent,
  type ReceiptContent,
  type ReceiptJson,
  signReceipt,
  toHash,
} from "@foldmark/protocol";
import { privateKeyToAccount } from "viem/accounts";
import type { OpenedModel } from "../src/engine/openModel.ts";

const GATEWAY = privateKeyToAccount(`0x${"0e".repeat(32)}`);
const hash = (byte: string) => toHash(`0x${byte.repeat(32)}`);

type Bought = {
  payment: PaymentEvent;
  model: Pick<OpenedModel, "asset" | "modelId" | "packageHash">;
  channel: Channel;
  request: Uint8Array[];
  claimed: Uint8Array[];
  deployment: { chainId: number; contracts: Pick<Deployment["contracts"], "channels"> };
  penalty: bigint;
  promptTokens: number;
};

/** A receipt of an answer that was bought. What a gateway would say of its routing is made up: no court looks at it. */
export async function receiptOf({
  payment,
  model,
  channel,
  request,
  claimed,
  deployment,
  penalty,
  promptTokens,
}: Bought): Promise<ReceiptJson> {
  const { answer, signature: answerSignature, preimage } = payment;
  const prices = { in: baseUnits(100_000n), out: baseUnits(400_000n), unit: baseUnits(0n) };
  const content: ReceiptContent = {
    ...{ version: 1, kind: "chat", chainId: deployment.chainId, channels: deployment.contracts.channels },
    ...{ bodyHash: hash("01"), seedByGateway: false, request, claimed, preimage, answer, answerSignature, channel },
    model: { asset: model.asset, modelId: model.modelId, packageHash: model.packageHash, assurance: "exact" },
    ...{ price: baseUnits(0n), prices, usage: { promptTokens, answerTokens: preimage.T - promptTokens } },
    routing: {
      account: hash("02"),
      keyBlock: { number: 0n, hash: hash("03"), timestamp: 0n },
      stateBlock: { number: 0n, hash: hash("03") },
      rules: { assurance: "exact", cap: prices, penalty: baseUnits(penalty) },
      ...{ candidates: [], skipped: [] },
    },
    gateway: GATEWAY.address,
    issuedAt: answer.until - 700n,
  };
  return encodeReceipt(await signReceipt(GATEWAY, content));
}
