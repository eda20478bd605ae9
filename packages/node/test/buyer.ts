import {
  type AssetId,
  assetIdToUint,
  type BaseUnits,
  baseUnits,
  channelIdOf,
  domainOf,
  encodePaymentHeader,
  MAX_TIMEOUT_SECONDS,
  networkOf,
  PAYMENT_SCHEME,
  PAYMENT_SIGNATURE_HEADER,
  signVoucher,
} from "@foldmark/protocol";
import { paymentChannelsAbi, testUSDAbi } from "@foldmark/protocol/abi";
import { type LlamaConfiguration, llamaRequest } from "@foldmark/workloads";
import type { Address } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { openChain } from "./chain.ts";

const SIGNER = privateKeyToAccount(`0x${"0b".repeat(32)}`);
export const PROMPT = [7, 33, 12];
/** What the tests' providers ask for 10^6 prompt and answer tokens. */
export const PRICES = { in: "100000", out: "400000", unit: "0" };

type BuyerOptions = { payee: Address; asset: AssetId; configuration: LlamaConfiguration };

/** A payer with one channel to one provider. */
export function aBuyer(chain: Awaited<ReturnType<typeof openChain>>, { payee, asset, configuration }: BuyerOptions) {
  const { contracts } = chain.deployment;
  const domain = domainOf(chain.deployment);
  const { account } = chain.payer;
  const channel = {
    ...{ payer: account.address, signer: SIGNER.address, payee },
    ...{ model: assetIdToUint(asset), salt: `0x${"00".repeat(32)}` as const },
  };
  const channelId = channelIdOf(domain, channel);

  async function headers(ceiling: BaseUnits) {
    const voucher = { channelId, maxClaimableAmount: ceiling };
    const payment = encodePaymentHeader({
      x402Version: 2,
      accepted: {
        ...{ scheme: PAYMENT_SCHEME, network: networkOf(domain.chainId), amount: ceiling, asset: contracts.token },
        ...{
          payTo: payee,
          maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
          extra: { channels: contracts.channels, model: asset },
        },
      },
      payload: { type: "voucher", channel, voucher, signature: await signVoucher(SIGNER, domain, voucher) },
    });
    return { "content-type": "application/json", [PAYMENT_SIGNATURE_HEADER]: payment };
  }

  return {
    domain,
    channel,
    channelId,
    async deposit(amount: bigint) {
      const approval = [contracts.channels, amount] as const;
      await chain.payer.writeContract({
        address: contracts.token,
        abi: testUSDAbi,
        functionName: "mint",
        args: [account.address, amount],
        account,
      });
      await chain.payer.writeContract({
        address: contracts.token,
        abi: testUSDAbi,
        functionName: "approve",
        args: approval,
        account,
      });
      await chain.payer.writeContract({
        address: contracts.channels,
        abi: paymentChannelsAbi,
        functionName: "deposit",
        args: [channel, amount],
        account,
      });
    },
    startExit: (amount: bigint) =>
      chain.payer.writeContract({
        address: contracts.channels,
        abi: paymentChannelsAbi,
        functionName: "startExit",
        args: [channel, amount],
        account,
      }),
    /** Asks for at most `limit` tokens under a ceiling. */
    async ask(url: string, { limit, ceiling }: { limit: number; ceiling: bigint }) {
      const order = llamaRequest({ prompt: PROMPT, limit, temperature: 0.8, minP: 0, seed: 5n }, configuration);
      const request = order.map((tensor) => Buffer.from(tensor).toString("base64"));
      return fetch(`${url}/v1/answers`, {
        method: "POST",
        headers: await headers(baseUnits(ceiling)),
        body: JSON.stringify({ model: asset, request, prices: PRICES }),
      });
    },
    /** What became of a ceiling. */
    async state(url: string, ceiling: bigint) {
      const response = await fetch(`${url}/v1/answers/${channelId}/${ceiling}`, {
        headers: await headers(baseUnits(ceiling)),
      });
      return response.json();
    },
  };
}
