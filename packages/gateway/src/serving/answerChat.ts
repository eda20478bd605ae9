import { FoldmarkError } from "@foldmark/protocol";
import type { FoundModel } from "../models/findModel.ts";
import type { ServedChat } from "../models/servedModel.ts";
import { maximumOfChat } from "./chatJob.ts";
import { type Billed, billed, type Call, type GatewayDeps } from "./gateway.ts";
import type { PreparedChat } from "./prepareChat.ts";
import { type ChatResult, type ChatSink, serveChat } from "./serveChat.ts";

type Answered = Extract<ChatResult, { status: "answered" }>;

/** An answer with its receipt; undefined where the caller left before anything was said. */
export type ChatAnswer = (Answered & Billed & { finishReason: "stop" | "length" }) | undefined;

/**
 * Answers a prepared chat through the market.
 * @throws `provider.mismatch` where shown tokens are disputed, and what `billed` throws
 */
export async function answerChat(
  {
    call,
    named,
    prepared,
    sink,
  }: { call: Call; named: FoundModel<ServedChat>; prepared: PreparedChat; sink: ChatSink },
  deps: GatewayDeps,
): Promise<ChatAnswer> {
  const { job, seedByGateway } = prepared;
  const maximumAt = (prices: Parameters<typeof maximumOfChat>[1]) => maximumOfChat(job, prices);
  const { result, billed: bill } = await billed<ChatResult>(
    { call, named, maximumAt },
    async (routed) => {
      const { result: end, route, skipped } = await serveChat(job, { ...routed, sink }, deps);
      if (end.status !== "answered") return { result: end, inputs: undefined };
      const { accepted, tokens, cut } = end;
      const usage = { promptTokens: job.prompt.length, answerTokens: tokens.length };
      return { result: end, inputs: { seedByGateway, accepted, usage, cut, route, skipped } };
    },
    deps,
  );
  if (result.status === "contradicted")
    throw new FoldmarkError(
      "provider.mismatch",
      `A second provider computed another token than the one shown at position ${result.position}. Nothing was charged.`,
      { details: { position: result.position } },
    );
  if (result.status === "nothing" || !bill) return undefined;
  return { ...result, ...bill, finishReason: result.end?.by === "limit" ? "length" : "stop" };
}
