import {
  type AssetId,
  type Assurance,
  assetIdFromUint,
  baseUnits,
  type Hash,
  type Mode,
  type ModelId,
  type Prices,
  type StakeState,
  toHash,
  toModelId,
  ZERO,
} from "@foldmark/protocol";
import type { Address, Hex } from "viem";
import type { MarketEvent } from "./marketEvents.ts";
import type { BlockRef } from "./projection.ts";

export type Hardware = {
  kind: "gpu" | "cpu";
  device: string;
  memoryBytes: bigint;
  /** Measured on one request, in thousandths of a token a second. */
  decodeMilliTokensPerSecond: number;
  /** Unix seconds. */
  measuredAt: bigint;
};

export type ProviderState = {
  address: Address;
  /** A stranger's text: connect to it as to any hostile URL. */
  endpoint: string;
  hardware: Hardware;
  isPaused: boolean;
  registeredAtBlock: bigint;
};

export type OfferState = { provider: Address; prices: Prices; assurance: Assurance; mode: Mode; capacity: number };

export type AssetState = {
  assetId: AssetId;
  modelId: ModelId;
  packageHash: Hash;
  header: Hex;
  programRoot: Hash;
  weightsRoot: Hash;
  owner: Address;
  metadataUri: string;
  packageUris: readonly string[];
  packageSizeBytes: bigint;
  licence: string;
  royaltyBps: number;
  parents: readonly { assetId: AssetId; shareBps: number }[];
  /** The asset that this one is a new version of. */
  predecessor: AssetId | undefined;
  registeredAtBlock: bigint;
};

export type AliasState = {
  name: string;
  owner: Address | undefined;
  /** Oldest first. */
  history: readonly { block: bigint; assetId: AssetId }[];
};

/** What has become of a challenged answer. */
export type DisputeState = {
  payee: Address;
  /** Challenges that have neither been lost nor ended by a conviction. */
  open: number;
  /** Block time of the conviction. */
  convictedAt: bigint | undefined;
};

/** The market as its events tell it. Immutable: an event makes a new state that shares what has not changed. */
export type MarketState = {
  readonly providers: ReadonlyMap<Address, ProviderState>;
  readonly offers: ReadonlyMap<AssetId, ReadonlyMap<Address, OfferState>>;
  readonly assets: ReadonlyMap<AssetId, AssetState>;
  readonly aliases: ReadonlyMap<string, AliasState>;
  readonly stakes: ReadonlyMap<Address, StakeState>;
  /** Last second for which an operator key answers, by payee and key in lower case. */
  readonly operators: ReadonlyMap<string, bigint>;
  /** Times of events that count against a payee. */
  readonly conduct: ReadonlyMap<Address, readonly bigint[]>;
  /** By the digest of the answer. */
  readonly disputes: ReadonlyMap<Hex, DisputeState>;
};

export const EMPTY_MARKET: MarketState = {
  providers: new Map(),
  offers: new Map(),
  assets: new Map(),
  aliases: new Map(),
  stakes: new Map(),
  operators: new Map(),
  conduct: new Map(),
  disputes: new Map(),
};

const NO_STAKE: StakeState = { amount: ZERO, unbonding: ZERO };
const ASSURANCES: readonly Assurance[] = ["exact", "reputed"];
const MODES: readonly Mode[] = ["ahead", "behind"];

export const operatorKey = (payee: Address, key: Address): string => `${payee}:${key}`.toLowerCase();

/** The state after one event. Events that say nothing about the market leave it as it is. */
export function applyMarketEvent(state: MarketState, event: MarketEvent, block: BlockRef): MarketState {
  switch (event.eventName) {
    case "ProviderRegistered":
    case "ProviderUpdated":
      return withProvider(state, event.args, block);
    case "PausedSet": {
      const provider = state.providers.get(event.args.provider);
      if (!provider) return state;
      return {
        ...state,
        providers: set(state.providers, provider.address, { ...provider, isPaused: event.args.paused }),
      };
    }
    case "OfferSet": {
      const { provider, model, offer } = event.args;
      const { priceIn, priceOut, priceUnit, capacity } = offer;
      const prices = { in: baseUnits(priceIn), out: baseUnits(priceOut), unit: baseUnits(priceUnit) };
      const [assurance, mode] = [ASSURANCES[offer.assurance], MODES[offer.mode]];
      if (!assurance || !mode) return state; // a class that this version does not know is no offer that it can take
      return withOffers(state, assetIdFromUint(model), (offers) =>
        set(offers, provider, { provider, prices, assurance, mode, capacity }),
      );
    }
    case "OfferRemoved":
      return withOffers(state, assetIdFromUint(event.args.model), (offers) => without(offers, event.args.provider));
    case "AssetRegistered":
      return withAsset(state, event.args, block);
    case "Transfer":
      return changeAsset(state, event.args.tokenId, (asset) => ({ ...asset, owner: event.args.to }));
    case "MetadataUriSet":
      return changeAsset(state, event.args.assetId, (asset) => ({ ...asset, metadataUri: event.args.metadataUri }));
    case "PackageUrisSet":
      return changeAsset(state, event.args.assetId, (asset) => ({ ...asset, packageUris: event.args.packageUris }));
    case "AliasPointed": {
      const { name, assetId } = event.args;
      return changeAlias(state, name, (alias) => ({
        ...alias,
        history: [...alias.history, { block: block.number, assetId: assetIdFromUint(assetId) }],
      }));
    }
    case "AliasOwned":
      return changeAlias(state, event.args.name, (alias) => ({ ...alias, owner: event.args.owner }));
    case "Staked":
      return changeStake(state, event.args.payee, (stake) => ({ ...stake, amount: baseUnits(event.args.stake) }));
    case "UnbondStarted":
      return changeStake(state, event.args.payee, (stake) => ({ ...stake, unbonding: baseUnits(event.args.amount) }));
    case "Unbonded":
      return changeStake(state, event.args.payee, () => ({ amount: baseUnits(event.args.stake), unbonding: ZERO }));
    case "StakeTaken": {
      const { payee, stake, unbonding } = event.args;
      return changeStake(state, payee, () => ({ amount: baseUnits(stake), unbonding: baseUnits(unbonding) }));
    }
    case "OperatorSet": {
      const { payee, key, until } = event.args;
      return { ...state, operators: set(state.operators, operatorKey(payee, key), BigInt(until)) };
    }
    case "Overcharged":
      return withConduct(state, event.args.payee, block);
    case "Convicted": // the channels say of whom, the court for which answer
      return "answerDigest" in event.args
        ? changeDispute(state, event.args, () => ({ open: 0, convictedAt: block.timestamp }))
        : withConduct(state, event.args.payee, block);
    case "Challenged":
      return changeDispute(state, event.args, ({ open }) => ({ open: open + 1 }));
    case "Lost":
      return changeDispute(state, event.args, ({ open }) => ({ open: open - 1 }));
    default:
      return state;
  }
}

type ArgsOf<Name extends MarketEvent["eventName"]> = Extract<MarketEvent, { eventName: Name }>["args"];

function withProvider(
  state: MarketState,
  { provider, endpoint, hardware }: ArgsOf<"ProviderRegistered">,
  block: BlockRef,
): MarketState {
  const { kind, device, memoryBytes, decodeMilliTokensPerSecond, measuredAt } = hardware;
  const known = state.providers.get(provider);
  const updated: ProviderState = {
    address: provider,
    endpoint,
    hardware: { kind: kind === 0 ? "gpu" : "cpu", device, memoryBytes, decodeMilliTokensPerSecond, measuredAt },
    isPaused: known?.isPaused ?? false,
    registeredAtBlock: known?.registeredAtBlock ?? block.number,
  };
  return { ...state, providers: set(state.providers, provider, updated) };
}

function withOffers(
  state: MarketState,
  assetId: AssetId,
  change: (offers: ReadonlyMap<Address, OfferState>) => ReadonlyMap<Address, OfferState>,
): MarketState {
  return { ...state, offers: set(state.offers, assetId, change(state.offers.get(assetId) ?? new Map())) };
}

function withAsset(
  state: MarketState,
  { assetId, modelId, owner, registration }: ArgsOf<"AssetRegistered">,
  block: BlockRef,
): MarketState {
  const { header, programRoot, weightsRoot, packageHash, parents, predecessor } = registration;
  const { metadataUri, packageUris, packageSizeBytes, licence, royaltyBps } = registration;
  const id = assetIdFromUint(assetId);
  const asset: AssetState = {
    assetId: id,
    modelId: toModelId(modelId),
    packageHash: toHash(packageHash),
    header,
    programRoot: toHash(programRoot),
    weightsRoot: toHash(weightsRoot),
    owner,
    metadataUri,
    packageUris,
    packageSizeBytes,
    licence,
    royaltyBps,
    parents: parents.map((parent) => ({ assetId: assetIdFromUint(parent.assetId), shareBps: parent.shareBps })),
    predecessor: predecessor === 0n ? undefined : assetIdFromUint(predecessor),
    registeredAtBlock: block.number,
  };
  return { ...state, assets: set(state.assets, id, asset) };
}

function changeAsset(state: MarketState, tokenId: bigint, change: (asset: AssetState) => AssetState): MarketState {
  const asset = state.assets.get(assetIdFromUint(tokenId));
  return asset ? { ...state, assets: set(state.assets, asset.assetId, change(asset)) } : state;
}

function changeAlias(state: MarketState, name: string, change: (alias: AliasState) => AliasState): MarketState {
  const alias = state.aliases.get(name) ?? { name, owner: undefined, history: [] };
  return { ...state, aliases: set(state.aliases, name, change(alias)) };
}

function changeStake(state: MarketState, payee: Address, change: (stake: StakeState) => StakeState): MarketState {
  return { ...state, stakes: set(state.stakes, payee, change(state.stakes.get(payee) ?? NO_STAKE)) };
}

function withConduct(state: MarketState, payee: Address, { timestamp }: BlockRef): MarketState {
  return { ...state, conduct: set(state.conduct, payee, [...(state.conduct.get(payee) ?? []), timestamp]) };
}

function changeDispute(
  state: MarketState,
  { answerDigest, payee }: { answerDigest: Hex; payee?: Address },
  change: (dispute: DisputeState) => Partial<DisputeState>,
): MarketState {
  const known = state.disputes.get(answerDigest);
  const dispute = known ?? (payee && { payee, open: 0, convictedAt: undefined });
  if (!dispute) return state;
  return { ...state, disputes: set(state.disputes, answerDigest, { ...dispute, ...change(dispute) }) };
}

function set<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
