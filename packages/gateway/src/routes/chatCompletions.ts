import { bodyHashOf, errorRow, FoldmarkError } from "@foldmark/protocol";
import { type EventStream, openEventStream } from "@foldmark/service";
import { type Request, type Response, Router } from "express";
import type { Metrics } from "../metrics.ts";
import { callerGone } from "../middleware/callerGone.ts";
import { callerOf, requestIdOf, setErrorCode } from "../middleware/context.ts";
import { apiError } from "../middleware/errorHandler.ts";
import { jsonOf, rawBodyOf } from "../middleware/jsonBody.ts";
import { type FoundModel, findModel } from "../models/findModel.ts";
import type { ServedChat } from "../models/servedModel.ts";
import { type Mutex, openMutex } from "../payments/mutex.ts";
import { type ChatRequest, chatRequest } from "../schemas/chatRequest.ts";
import { parseRequest } from "../schemas/parseRequest.ts";
import { PRICE_CAP_HEADER, parsePriceCap } from "../schemas/priceCap.ts";
import { answerChat, type ChatAnswer } from "../serving/answerChat.ts";
import type { Call, GatewayDeps } from "../serving/gateway.ts";
import { type PreparedChat, prepareChat } from "../serving/prepareChat.ts";
import { type CompletionHead, completion, deltaChunk, usageChunk, usageOf } from "./chatShapes.ts";
import { foldmarkFields, foldmarkHeaders, RECEIPT_HEADER, receiptUrl } from "./foldmarkFields.ts";

/** How long a client may leave a full socket unread before it counts as gone. */
const READER_STALL_MS = 60_000;

type Deps = { gateway: GatewayDeps; metrics: Metrics };

/** One prompt of a caller is rendered at a time: long ones hold up nobody else for longer than one of them takes. */
type Turns = Mutex;

/** One chat request, parsed and rendered. */
type Exchange = {
  call: Call;
  named: FoundModel<ServedChat>;
  prepared: PreparedChat;
  head: CompletionHead;
  isFull: boolean;
  arrivedAt: number;
};

/** `POST /v1/chat/completions`, in one piece or as a stream. */
export function chatCompletionsRoute(deps: Deps): Router {
  const router = Router();
  const turns: Turns = openMutex();
  router.post("/v1/chat/completions", async (request, response) => {
    const body = parseChat(request);
    const exchange = await openExchange(body, { request, response, deps, turns });
    deps.gateway.tally.add({ name: "request", label: exchange.named.model.asset });
    deps.metrics.running.inc();
    try {
      if (body.stream) await streamChat(exchange, { body, response, deps });
      else await completeChat(exchange, { response, deps });
    } finally {
      deps.metrics.running.dec();
    }
  });
  return router;
}

function parseChat(request: Request): ChatRequest {
  const body = parseRequest(chatRequest, jsonOf(request));
  if (body.stream_options && !body.stream)
    throw new FoldmarkError("request.invalid", "'stream_options' is only allowed when 'stream' is true.", {
      details: { param: "stream_options" },
    });
  return body;
}

async function openExchange(
  body: ChatRequest,
  { request, response, deps: { gateway }, turns }: { request: Request; response: Response; deps: Deps; turns: Turns },
): Promise<Exchange> {
  const arrivedAt = gateway.now();
  const cap = parsePriceCap(request.get(PRICE_CAP_HEADER), { kind: "chat" });
  const named = findModel(body.model, "chat", gateway);
  const release = await turns.take(callerOf(response).keyId);
  const prepared = await prepareChat(body, named.model).finally(release);
  const id = `chatcmpl-${requestIdOf(response).slice("req_".length)}`;
  return {
    call: { requestId: id, caller: callerOf(response), bodyHash: bodyHashOf(rawBodyOf(request)), cap },
    named,
    prepared,
    head: {
      id,
      created: Math.floor(arrivedAt / 1000),
      model: body.model,
      system_fingerprint: `fp_${named.model.modelId.slice(2, 14)}`,
    },
    isFull: request.get(RECEIPT_HEADER)?.toLowerCase() === "full",
    arrivedAt,
  };
}

async function completeChat(exchange: Exchange, { response, deps }: { response: Response; deps: Deps }): Promise<void> {
  const { head, prepared } = exchange;
  const pieces: string[] = [];
  const sink = {
    text: async (piece: string) => {
      pieces.push(piece);
    },
    signal: callerGone(response),
    takeBack: () => {
      pieces.length = 0;
    },
  };
  const answer = await answerChat({ ...exchange, sink }, deps.gateway);
  if (!answer) return;
  observe(answer, exchange, deps);
  response.set(foldmarkHeaders(answer)).json(
    completion(head, {
      content: pieces.join(""),
      finishReason: answer.finishReason,
      usage: usageOf({ promptTokens: prepared.job.prompt.length, answerTokens: answer.tokens.length }),
      x_foldmark: foldmarkFields({ ...answer, seed: prepared.seed, isFull: exchange.isFull }),
    }),
  );
}

async function streamChat(
  exchange: Exchange,
  { body, response, deps }: { body: ChatRequest; response: Response; deps: Deps },
): Promise<void> {
  const { head, prepared } = exchange;
  const includesUsage = body.stream_options?.include_usage === true;
  let stream: EventStream | undefined;
  // status and headers wait for the first piece: until then an error still has a status of its own
  const opened = async (): Promise<EventStream> => {
    if (stream) return stream;
    stream = openEventStream(response, { headers: { "x-foldmark-receipt-url": receiptUrl(head.id) } });
    deps.metrics.firstTokenSeconds.observe((deps.gateway.now() - exchange.arrivedAt) / 1000);
    await stream.send(deltaChunk(head, { delta: { role: "assistant", content: "", refusal: null }, includesUsage }));
    return stream;
  };
  const sink = {
    text: async (piece: string) => {
      if (piece === "") return;
      // who never reads would hold a provider for ever
      const stalled = setTimeout(() => response.destroy(), READER_STALL_MS);
      try {
        await (await opened()).send(deltaChunk(head, { delta: { content: piece }, includesUsage }));
      } finally {
        clearTimeout(stalled);
      }
    },
    signal: callerGone(response),
  };
  try {
    const answer = await answerChat({ ...exchange, sink }, deps.gateway);
    if (!answer) return;
    observe(answer, exchange, deps);
    const usage = usageOf({ promptTokens: prepared.job.prompt.length, answerTokens: answer.tokens.length });
    const x_foldmark = foldmarkFields({ ...answer, seed: prepared.seed, isFull: exchange.isFull });
    const { finishReason } = answer;
    const out = await opened();
    await out.send(deltaChunk(head, { delta: {}, finishReason, includesUsage, ...(!includesUsage && { x_foldmark }) }));
    if (includesUsage) await out.send(usageChunk(head, { usage, x_foldmark }));
    await out.send("[DONE]");
    await out.end();
  } catch (error) {
    if (!stream) throw error;
    await endWithError(error, { stream, response, deps });
  }
}

/** An answer that cannot be finished says so: two of three clients take a clean close for success. */
async function endWithError(
  error: unknown,
  { stream, response, deps: { gateway } }: { stream: EventStream; response: Response; deps: Deps },
): Promise<void> {
  const body = apiError(error);
  setErrorCode(response, body.error.code);
  gateway.tally.add({ name: "refusal", label: body.error.code });
  if (errorRow(error).status >= 500)
    gateway.log.error({ requestId: requestIdOf(response), code: body.error.code, err: error }, "stream failed");
  await stream.send(body);
  await stream.end();
}

function observe(answer: NonNullable<ChatAnswer>, { prepared }: Exchange, { metrics }: Deps): void {
  metrics.tokens.inc({ kind: "prompt" }, prepared.job.prompt.length);
  metrics.tokens.inc({ kind: "answer" }, answer.tokens.length);
}
