import type { Hex, Verdict } from "@foldmark/workloads/browser";
import type { Order } from "./answers.ts";
import type { Positions } from "./positions.ts";

/** What the worker of the page does when it is asked, each with its answer. */
export type Asks = {
  /** Opens package and engine. */
  open: { asked: { url: string; assetId: Hex; threads?: number }; answer: Opened };
  /** Gives up what is being opened. */
  stop: { asked: null; answer: null };
  /** Logits and tokens of every position. */
  positions: { asked: { tokens: number[]; by: "decode" | "prefill" }; answer: Positions };
  /** Renders a conversation and answers it. */
  answer: { asked: Order; answer: number[] };
  check: { asked: { order: Order; tokens: number[] }; answer: Verdict };
  /** Reads so many tokens, for `decode` to go on from. */
  prepare: { asked: { tokens: number[] }; answer: null };
  /** Steps of one token each. */
  decode: { asked: { tokens: number[] }; answer: { wallMs: number; samples: number[] } };
  /** Closes engine and package, so that they can be opened again. */
  close: { asked: null; answer: null };
  /** Removes all packages. */
  remove: { asked: null; answer: null };
};
export type Ask = keyof Asks;
export type Asked = { [A in Ask]: { ask: A; of: Asks[A]["asked"] } }[Ask];

/** `packageMs` until every byte is verified, `engineMs` from there to an engine. */
export type Opened = { packageMs: number; engineMs: number; fetchedBytes: number; vocabulary: number };

/** Between page and worker: one may ask again before the first answer has come. */
export type ToWorker = { id: number; asked: Asked };
export type FromWorker = { progress: number } | { id: number; answer: Answer };

export type Failure = { code: string; message: string; details: unknown };
export type Answer<A extends Ask = Ask> = { value: Asks[A]["answer"] } | { error: Failure };

/** What tests find as `bench` in the page: it passes an ask to the worker and gives its answer. */
export type BenchPage = { ask(asked: Asked): Promise<Answer>; progress: number[] };
