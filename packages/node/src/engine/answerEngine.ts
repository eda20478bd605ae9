import type { AssetId, Hash, ModelId } from "@foldmark/protocol";
import type { Hex } from "viem";

/** A model package that is loaded and ready to answer. */
export type ServedModel = {
  asset: AssetId;
  modelId: ModelId;
  packageHash: Hash;
  /** For people: the package's own name. */
  name: string;
  kind: "chat" | "simulation";
  /** The largest T of the program. */
  context: number;
  /** With request and answer: the preimage of a statement. */
  header: Hex;
  programRoot: Hash;
  weightsRoot: Hash;
  /** Where its files are. */
  folder: string;
  /**
   * What a request asks for, before anything is computed.
   * @throws `request.invalid`, `request.context_length` for a request with no true statement
   */
  measure(request: readonly Uint8Array[]): RequestSize;
};

/** What decides the price of a request. A simulation has no tokens, a chat no steps. */
export type RequestSize = { kind: "chat"; promptTokens: number; limit: number } | { kind: "simulation"; steps: number };

/**
 * One request, as it was paid for. `hint` are answer tokens that somebody else claims; they are checked, not believed.
 * `payer` is who takes turns with others, whatever the name says; what nobody pays for takes turns with them as one.
 */
export type EngineJob = { asset: AssetId; request: Uint8Array[]; hint?: number[]; payer?: string };

export type EngineListener = {
  /** How many tokens of the hint are the engine's own too. At most once, before any token. */
  hint(agreed: number): void;
  tokens(ids: number[]): void;
};

/**
 * A whole answer whose last stage was 1 everywhere: T, the request that it answers (with a lowered limit, if it was cut)
 * and the claimed tensors.
 */
export type Completion = { T: number; request: Uint8Array[]; claimed: Uint8Array[] };

/** A request that runs. `result` rejects with `engine.failed`, or `request.cancelled` after `abort`. */
export type EngineRun = {
  readonly result: Promise<Completion>;
  /** Stop and complete at exactly this many answer tokens. An answer that is complete already stays as it is. */
  cut(tokens: number): void;
  /** Stop and complete nothing. */
  abort(): void;
};

/** Computes answers somewhere off this thread. */
export type AnswerEngine = {
  readonly models: readonly ServedModel[];
  run(job: EngineJob, listener: EngineListener): EngineRun;
  /** Ends its thread; what runs is aborted. */
  close(): Promise<void>;
};
