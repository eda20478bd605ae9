import type { AssetId, Hash, ModelId } from "@foldmark/protocol";
import type { Hex } from "viem";

/** A package that this gateway holds and has checked: what it takes to write requests and to check answers. */
export type ServedModel = {
  asset: AssetId;
  modelId: ModelId;
  packageHash: Hash;
  /** The largest T. */
  maxT: number;
  header: Hex;
  programRoot: Hash;
  weightsRoot: Hash;
} & (ChatModel | SimulationModel);

export type ChatMessage = { role: "system" | "user" | "assistant"; content: string };

export type Sampling = {
  /** 0 takes the likeliest token. */
  temperature: number;
  minP: number;
  /** 64 bits, signed. */
  seed: bigint;
};

export type ChatModel = {
  kind: "chat";
  vocabulary: number;
  stopIds: ReadonlySet<number>;
  /** Applies the package's template and tokenizer, off this thread. @throws `request.invalid` where the template refuses */
  render(messages: ChatMessage[]): Promise<number[]>;
  /** A fresh decoder of one answer. */
  stream(): TextDecoding;
  /** The request tensors, whole, in the program's order. */
  request(of: { prompt: readonly number[]; limit: number } & Sampling): Uint8Array[];
};

/** Turns token ids into text as they come, never half a character. */
export type TextDecoding = { push(token: number): string; end(): string };

export type SimulationParameters = { rate: number; volatility: number; maturity: number; strike: number; spot: number };

export type SimulationModel = {
  kind: "simulation";
  /** Request tensors and the number of steps. @throws `request.invalid` with the parameter that is out of range */
  request(of: { parameters: SimulationParameters; paths: number; seed: bigint }): { tensors: Uint8Array[]; T: number };
  /** What the claimed tensors say, in the unit of spot. */
  result(claimed: readonly Uint8Array[], parameters: SimulationParameters): { price: number; standardError: number };
  /** Bytes of each claimed tensor at T. */
  claimedBytes(T: number): number[];
};

export type ServedChat = Extract<ServedModel, { kind: "chat" }>;
export type ServedSimulation = Extract<ServedModel, { kind: "simulation" }>;
