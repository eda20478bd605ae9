import type { ElementAt, FoldTensor, Position } from "@foldmark/machine";
import type { DisputedJob, KnownFalse } from "./disputeTrace.ts";

/** What the trace's thread is told when it starts. */
export type TraceStart = DisputedJob;

/** To the thread: one of the trace's questions. */
export type TraceQuestion =
  | { kind: "nodes"; under: Position; depth: number }
  | { kind: "leaf"; of: FoldTensor; index: number }
  | { kind: "refutation"; known: KnownFalse | undefined };
export type ToTrace = { id: number; question: TraceQuestion };

/** From the thread. `built` comes once, first. */
export type FromTrace =
  | { type: "built"; T: number; root: Uint8Array; firstFalse: ElementAt | undefined; seconds: number }
  | { type: "answer"; id: number; value: unknown }
  | { type: "failed"; id: number | undefined; code: string; message: string };
