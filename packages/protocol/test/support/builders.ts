import { privateKeyToAccount } from "viem/accounts";
import {
  type Answer,
  baseUnits,
  bodyHashOf,
  type Channel,
  channelIdOf,
  foldmarkDomain,
  type Payment,
  type PaymentEvent,
  type Prices,
  type ReceiptContent,
  statementIdOf,
  toAddress,
  toAssetId,
  toHash,
  toModelId,
} from "../../src/index.ts";

export const gateway = privateKeyToAccount(`0x${"11".repeat(32)}`);
export const provider = privateKeyToAccount(`0x${"22".repeat(32)}`);
export const domain = foldmarkDomain({
  chainId: 31337,
  channels: toAddress("0x5fbdb2315678afecb367f032d93f642f64180aa3"),
});
export const asset = toAssetId(`0x${"0a".repeat(32)}`);
const hashOf = (byte: string) => toHash(`0x${byte.repeat(32)}`);
const signature = `0x${"33".repeat(64)}1b` as const;

export const prices: Prices = { in: baseUnits(100_000n), out: baseUnits(400_000n), unit: baseUnits(0n) };
export const channel: Channel = {
  payer: gateway.address,
  signer: gateway.address,
  payee: provider.address,
  model: BigInt(asset),
  salt: hashOf("00"),
};
const channelId = channelIdOf(domain, channel);
export const preimage = {
  header: "0x0100010001000100020064000000",
  programRoot: hashOf("01"),
  weightsRoot: hashOf("02"),
  requestRoot: hashOf("03"),
  T: 15,
  claimedRoot: hashOf("04"),
} as const;
export const answer: Answer = {
  payee: provider.address,
  statementId: statementIdOf(preimage),
  channelId,
  maxClaimableAmount: baseUnits(123n),
  charged: baseUnits(97n),
  until: 1_764_104_523n,
};

export const payment: Payment = {
  x402Version: 2,
  accepted: {
    scheme: "foldmark-channel",
    network: "eip155:31337",
    amount: baseUnits(30n),
    asset: toAddress(`0x${"44".repeat(20)}`),
    payTo: provider.address,
    maxTimeoutSeconds: 600,
    extra: { channels: domain.verifyingContract, model: asset },
  },
  payload: { type: "voucher", channel, voucher: { channelId, maxClaimableAmount: baseUnits(123n) }, signature },
};
export const paymentEvent: PaymentEvent = { answer, signature, preimage, claimed: [Uint8Array.of(1, 2, 3, 255)] };

/** Three candidates of one weight; the provider that answered is whoever the test makes it. */
export function aReceipt(changes: Partial<ReceiptContent> = {}): ReceiptContent {
  const others = [toAddress(`0x${"55".repeat(20)}`), toAddress(`0x${"66".repeat(20)}`)];
  const candidates = [provider.address, ...others].map((address) => ({
    provider: address,
    assurance: "exact" as const,
    isPaused: false,
    prices,
    stake: { amount: baseUnits(100_000_000n), unbonding: baseUnits(0n) },
    conductEvents: 0,
  }));
  return {
    version: 1,
    kind: "chat",
    chainId: domain.chainId,
    channels: domain.verifyingContract,
    bodyHash: bodyHashOf(new TextEncoder().encode("{}")),
    model: { asset, modelId: toModelId(hashOf("0b")), packageHash: hashOf("0c"), assurance: "exact" },
    seedByGateway: true,
    request: [Uint8Array.of(0), new Uint8Array(2000).fill(7)],
    claimed: [Uint8Array.of(1, 2, 3)],
    preimage,
    answer,
    answerSignature: signature,
    channel,
    price: baseUnits(3n),
    prices,
    usage: { promptTokens: 10, answerTokens: 5 },
    routing: {
      account: hashOf("0d"),
      keyBlock: { number: 64n, hash: hashOf("0e"), timestamp: 1_764_100_000n },
      stateBlock: { number: 70n, hash: hashOf("0f") },
      rules: {
        assurance: "exact",
        cap: { in: baseUnits(400_000n), out: baseUnits(1_600_000n), unit: baseUnits(0n) },
        penalty: baseUnits(10_000_000n),
      },
      candidates,
      skipped: [],
    },
    gateway: gateway.address,
    issuedAt: 1_764_100_100n,
    ...changes,
  };
}
