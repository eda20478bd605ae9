import { type Engine, openWasm } from "@foldmark/machine";
import { requestRoot } from "@foldmark/machine/commitments";
import {
  accountOfApiKey,
  baseUnits,
  bodyHashOf,
  type Channel,
  channelIdOf,
  defaultCap,
  encodeReceipt,
  foldmarkDomain,
  priceOfReceipt,
  type Receipt,
  type ReceiptContent,
  rankProviders,
  routingKey,
  signAnswer,
  signReceipt,
  statementIdOf,
  toAssetId,
  toHash,
  toModelId,
} from "@foldmark/protocol";
import {
  generateWhole,
  llamaRequest,
  type ModelPackage,
  renderChatTokens,
  toHex,
  tokenBytes,
  withLimit,
} from "@foldmark/workloads";
import { privateKeyToAccount } from "viem/accounts";
import type { ChainReader } from "../src/index.ts";

const account = (digit: string) => privateKeyToAccount(`0x${digit.repeat(64)}`);
export const GATEWAY = account("1");
export const PROVIDERS = [account("2"), account("3")] as const;
export const OPERATOR = account("4");
const hash = (digit: string) => toHash(`0x${digit.repeat(64)}`);

export const ASKED = {
  messages: [{ role: "user", content: "Say something." }],
  temperature: 0.8,
  min_p: 0.05,
  seed: 42,
  max_tokens: 12,
};

export const BODY = JSON.stringify(ASKED);
export const API_KEY = "sk-of-the-caller";
const CHANNELS = "0x1111111111111111111111111111111111111111";
const ISSUED_AT = 1_700_000_100n;
const WINDOW = 600n;
const PENALTY = baseUnits(10n);

/** A chain that says what an honest receipt says. */
export function aChain({ routing, model }: Receipt, changes: Partial<ChainReader> = {}): ChainReader {
  const { keyBlock, stateBlock, candidates } = routing;
  return {
    ...{ chainId: 31_337, channels: CHANNELS, terms: { windowSeconds: WINDOW, penalty: PENALTY } },
    answerableUntil: async () => 0n,
    convictedAt: async () => 0n,
    block: async (number) => (number === keyBlock.number ? keyBlock : { hash: stateBlock.hash, timestamp: ISSUED_AT }),
    offers: async () => candidates,
    alias: async () => model.asset,
    ...changes,
  };
}

export type ReceiptOptions = {
  /** Answer tokens as the provider signs them. */
  tokens?: (honest: number[]) => number[];
  /** The request as the provider signs it. */
  request?: (honest: Uint8Array[]) => Uint8Array[];
  /** The limit of the signed request; by default that of the request. */
  limit?: number;
  /** What the gateway says about the cut, where the limit is lower than the one asked for. */
  cut?: { by: "stop" | "client" | "gateway"; stop?: string };
  /** What the gateway writes, after everything that follows from the answer. */
  content?: (honest: ReceiptContent) => ReceiptContent;
  /** Who signs the answer. */
  signer?: typeof OPERATOR;
  /** Unix seconds, in the signed Answer. */
  until?: bigint;
};

export type World = { pkg: ModelPackage; engine: Engine };

export async function openWorld(pkg: ModelPackage): Promise<World> {
  return { pkg, engine: await openWasm(pkg.program, pkg.constants) };
}

/** The honest answer to `ASKED`, as the tiny model computes it. */
export function honestTokens({ pkg, engine }: World): { prompt: number[]; tokens: number[]; request: Uint8Array[] } {
  const prompt = renderChatTokens({ tokenizer: pkg.tokenizer(), template: pkg.template }, ASKED.messages);
  const bounds = { maxT: pkg.program.maxT, vocabulary: pkg.tokenizer().vocabulary };
  const { temperature, min_p: minP, max_tokens: limit } = ASKED;
  const request = llamaRequest({ prompt, limit, seed: BigInt(ASKED.seed), temperature, minP }, bounds);
  const { kind, answers, length, stopIds } = pkg.manifest;
  const { tokens } = generateWhole(engine, { model: { kind, answers, length, stopIds }, request, prompt, limit });
  return { prompt, tokens, request };
}

/** A receipt whose every signature is right, whatever the options make of its content. */
export async function aReceipt(world: World, options: ReceiptOptions = {}): Promise<Receipt> {
  const { pkg } = world;
  const honest = honestTokens(world);
  const tokens = options.tokens?.(honest.tokens) ?? honest.tokens;
  const asked = options.limit === undefined ? honest.request : withLimit(honest.request, options.limit);
  const request = options.request?.(asked) ?? asked;
  const claimed = [tokenBytes([...honest.prompt, ...tokens])];
  const channels = CHANNELS;
  const domain = foldmarkDomain({ chainId: 31_337, channels });
  const prices = { in: baseUnits(100_000n), out: baseUnits(400_000n), unit: baseUnits(0n) };
  const bodyHash = bodyHashOf(new TextEncoder().encode(BODY));
  const routing: ReceiptContent["routing"] = {
    account: accountOfApiKey(API_KEY),
    keyBlock: { number: 64n, hash: hash("c"), timestamp: 1_700_000_000n },
    stateBlock: { number: 70n, hash: hash("d") },
    rules: { assurance: "exact", cap: prices, penalty: PENALTY },
    candidates: PROVIDERS.map(({ address }) => ({
      provider: address,
      assurance: "exact" as const,
      isPaused: false,
      prices,
      stake: { amount: baseUnits(100n), unbonding: baseUnits(0n) },
      conductEvents: 0,
    })),
    skipped: [],
  };
  routing.rules.cap = defaultCap(routing.candidates, routing.rules);
  const key = routingKey({ bodyHash, account: routing.account, keyBlockHash: routing.keyBlock.hash });
  const first = rankProviders(routing.candidates, { key, rules: routing.rules }).order[0]?.provider;
  const provider = PROVIDERS.find(({ address }) => address === first) ?? PROVIDERS[0];
  const channel: Channel = {
    payer: GATEWAY.address,
    signer: GATEWAY.address,
    payee: provider.address,
    model: BigInt(pkg.assetId),
    salt: hash("0"),
  };
  const preimage = {
    header: pkg.manifest.header,
    programRoot: toHash(pkg.programRoot),
    weightsRoot: toHash(pkg.weightsRoot),
    requestRoot: toHash(toHex(requestRoot(request))),
    T: honest.prompt.length + tokens.length,
    claimedRoot: toHash(toHex(requestRoot(claimed))),
  };
  const answer = {
    payee: provider.address,
    statementId: statementIdOf(preimage),
    channelId: channelIdOf(domain, channel),
    maxClaimableAmount: baseUnits(1_000n),
    charged: baseUnits(10n),
    until: options.until ?? ISSUED_AT + WINDOW,
  };
  const content: ReceiptContent = {
    version: 1,
    kind: "chat",
    chainId: 31_337,
    channels,
    bodyHash,
    model: {
      asset: toAssetId(pkg.assetId),
      modelId: toModelId(pkg.modelId),
      packageHash: toHash(pkg.packageHash),
      assurance: "exact",
    },
    seedByGateway: false,
    request,
    claimed,
    preimage,
    answer,
    answerSignature: await signAnswer(options.signer ?? provider, domain, answer),
    channel,
    price: baseUnits(0n),
    prices,
    usage: { promptTokens: honest.prompt.length, answerTokens: tokens.length },
    routing,
    ...(options.cut && { cut: { ...options.cut, tokens: tokens.length } }),
    gateway: GATEWAY.address,
    issuedAt: ISSUED_AT,
  };
  const priced = { ...content, price: priceOfReceipt(content) };
  return signReceipt(GATEWAY, options.content?.(priced) ?? priced);
}

/** As it travels. */
export const asJson = (receipt: Receipt): unknown => JSON.parse(JSON.stringify(encodeReceipt(receipt)));
