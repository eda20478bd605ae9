import { FoldmarkError, type Prices } from "@foldmark/protocol";
import type { Address } from "viem";
import type { Accepted } from "./acceptance.ts";
import { type Author, arbitrate } from "./arbitration.ts";
import { beginChat, type ChatAttempt, cutChat, nextOfChat } from "./chatAttempt.ts";
import { type ChatJob, maximumOfChat } from "./chatJob.ts";
import type { ServingDeps } from "./dependencies.ts";
import { type FailedOver, withFailover } from "./failover.ts";
import type { Route } from "./route.ts";
import { type End, openTranscript, type Transcript } from "./transcript.ts";

/** Where an answer's text goes, piece by piece. */
export type ChatSink = {
  /** Resolves when more may be given. */
  text(piece: string): Promise<void>;
  /** Aborts when the caller has gone. */
  signal: AbortSignal;
  /** Forgets what was given. Absent where it has been shown. */
  takeBack?: () => void;
};

export type Cut = { by: "stop" | "client"; tokens: number; stop?: string };

/** How a chat ended: by an answer; by nothing at all, because the caller left before the first token; or in dispute. */
export type ChatResult =
  | { status: "answered"; accepted: Accepted; tokens: number[]; end: End | undefined; cut: Cut | undefined }
  | { status: "nothing" }
  /** A second provider computes another token at `position` than the one that has been shown. */
  | { status: "contradicted"; position: number };

/**
 * Answers a chat, replacing providers inside the request: before the first token, and in the middle of the answer, from
 * the token where it broke off.
 * @throws `provider.all_failed`
 */
export async function serveChat(
  job: ChatJob,
  of: { route: Route; reroute: () => Promise<Route | undefined>; sink: ChatSink },
  deps: ServingDeps,
): Promise<FailedOver<ChatResult>> {
  const { route, reroute, sink } = of;
  const options = { limit: job.limit, stops: job.stops };
  let transcript = openTranscript(job.model, options);
  const authors: Author[] = [];

  async function ask({ provider, prices }: { provider: Address; prices: Prices }): Promise<ChatResult> {
    if (sink.signal.aborted) return { status: "nothing" };
    const attempt = await beginChat(job, { provider, prices, hint: transcript.tokens }, deps);
    if (attempt.agreed < transcript.tokens.length) {
      if (!sink.takeBack) {
        const shown = [...transcript.tokens];
        deps.tally.add({ name: "mismatch", label: job.model.asset });
        deps.inBackground(() => arbitrate(job, { shown, authors, second: attempt, route }, deps));
        return { status: "contradicted", position: attempt.agreed };
      }
      sink.takeBack();
      transcript = openTranscript(job.model, options);
      for (const token of attempt.received) await sink.text(transcript.push(token));
    }
    prepareNext(job, { route, provider }, deps);
    try {
      return await runChat(job, { attempt, transcript, sink }, deps);
    } catch (error) {
      attempt.bought.abandon(attempt.received);
      throw error;
    } finally {
      authors.push({ provider, upTo: transcript.tokens.length });
    }
  }

  return withFailover({ route, reroute, delivered: () => transcript.tokens.length }, ask, deps);
}

/** A replacement in the middle of a stream should not have to wait for a channel to be opened. */
function prepareNext(job: ChatJob, { route, provider }: { route: Route; provider: Address }, deps: ServingDeps): void {
  const next = route.order.find((candidate) => candidate.provider !== provider);
  if (!next) return;
  const { provider: payee, prices } = next;
  const purchase = { payee, asset: job.model.asset, maximum: maximumOfChat(job, prices) };
  deps.inBackground(async () => {
    try {
      await deps.payer.prepare(purchase);
    } catch (error) {
      if (!(error instanceof FoldmarkError)) throw error;
      deps.log.info({ provider: payee, code: error.code }, "no channel could be opened in advance");
    }
  });
}

/** Takes one provider's answer to its end: its Answer, or a cut at a stop string or at the caller's going. */
async function runChat(
  job: ChatJob,
  { attempt, transcript, sink }: { attempt: ChatAttempt; transcript: Transcript; sink: ChatSink },
  deps: ServingDeps,
): Promise<ChatResult> {
  for (;;) {
    const { end, tokens } = transcript;
    // where the answer ends with the stop string anyway, the whole answer is what is signed
    if (end?.by === "stop_string" && !isOver(job, tokens)) {
      const cut = await cutChat(job, attempt, tokens.length, deps);
      if (cut) return answered(job, cut, { end, cut: { by: "stop", stop: end.stop } });
    }
    if (sink.signal.aborted) return leave(job, { attempt, transcript }, deps);
    const step = await nextUnlessGone(job, { attempt, sink }, deps);
    if (step === "gone") continue;
    if (step.type === "accepted") {
      await sink.text(transcript.close());
      return answered(job, step, { end: transcript.end });
    }
    for (const token of step.tokens) {
      if (transcript.end?.by === "stop_string") break;
      const show = transcript.push(token);
      if (show !== "") await sink.text(show);
    }
  }
}

async function nextUnlessGone(
  job: ChatJob,
  { attempt, sink }: { attempt: ChatAttempt; sink: ChatSink },
  deps: ServingDeps,
) {
  try {
    return await nextOfChat(job, attempt, deps, sink.signal);
  } catch (error) {
    if (error instanceof FoldmarkError && error.code === "request.cancelled") return "gone";
    throw error;
  }
}

/** The caller has gone: the answer is cut at the tokens delivered, at one if any was sent, and billed for them. */
async function leave(
  job: ChatJob,
  { attempt, transcript }: { attempt: ChatAttempt; transcript: Transcript },
  deps: ServingDeps,
): Promise<ChatResult> {
  const delivered = transcript.tokens.length;
  try {
    const cut = await cutChat(job, attempt, delivered, deps);
    return cut ? answered(job, cut, { end: transcript.end, cut: { by: "client" } }) : { status: "nothing" };
  } catch (error) {
    // nobody is waiting for another provider's answer
    attempt.bought.abandon(attempt.received);
    deps.log.info({ provider: attempt.provider, err: error }, "cut for a caller that has gone failed");
    return { status: "nothing" };
  }
}

/** An answer that ended by itself was not cut, whatever was asked of its provider. */
function answered(
  job: ChatJob,
  { accepted, tokens }: { accepted: Accepted; tokens: number[] },
  { end, cut }: { end: End | undefined; cut?: Omit<Cut, "tokens"> },
): ChatResult {
  const isCut = cut !== undefined && !isOver(job, tokens);
  return { status: "answered", accepted, tokens, end, cut: isCut ? { ...cut, tokens: tokens.length } : undefined };
}

const isOver = ({ limit, model }: ChatJob, tokens: readonly number[]): boolean =>
  tokens.length === limit || model.stopIds.has(tokens.at(-1) ?? -1);
