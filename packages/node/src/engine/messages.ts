import type { KernelFamily } from "@foldmark/machine";
import type { AssetId } from "@foldmark/protocol";

/** What the engine's thread is told when it starts. */
export type WorkerStart = {
  packages: { asset: AssetId; folder: string }[];
  backend: "wasm" | "reference";
  /** Threads of each engine, this one included. */
  threads: number;
  /** Kernels to do without, because this machine was seen to compute them wrongly. */
  without: readonly KernelFamily[];
  /** Of `Cancellations`. */
  cancelled: SharedArrayBuffer;
};

/** To the thread. A run is finished once, at `length` answer tokens, or at all of them. */
export type ToWorker =
  | {
      type: "run";
      id: number;
      asset: AssetId;
      payer: string;
      request: Uint8Array[];
      chat?: { prompt: number[]; limit: number; hint?: number[] };
    }
  | { type: "finish"; id: number; length?: number }
  | { type: "abort"; id: number };

/** From the thread. `generated`: nothing more will come, the run waits for `finish`. */
export type FromWorker =
  | { type: "ready" }
  | { type: "hint"; id: number; agreed: number }
  | { type: "tokens"; id: number; tokens: number[] }
  | { type: "generated"; id: number }
  | { type: "completed"; id: number; T: number; request: Uint8Array[]; claimed: Uint8Array[] }
  | { type: "failed"; id: number; code: string; message: string };
