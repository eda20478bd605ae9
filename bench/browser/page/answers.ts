import {
  type AnsweredJob,
  type BrowserPackage,
  type ChatMessage,
  check,
  Generation,
  llamaRequest,
  renderChatTokens,
  type Sampling,
  tokenBytes,
  type Verdict,
} from "@foldmark/workloads/browser";
import type { OpenedModel } from "./positions.ts";

export type Order = Sampling & { messages: ChatMessage[]; limit: number };
type ChatModel = { model: OpenedModel; pkg: Pick<BrowserPackage, "manifest" | "template" | "tokenizer"> };

/** The tokens of an answer, finished as one that is true. */
export function answer(chat: ChatModel, order: Order): number[] {
  const { prompt, request } = asked(chat, order);
  const { engine } = chat.model;
  const { manifest: model } = chat.pkg;
  using generation = Generation.start(engine, { model, request, prompt, limit: order.limit });
  while (generation.next() !== undefined);
  return generation.finish().tokens;
}

/** Whether these are the tokens of the answer, by computing it again. */
export function checkAnswer(chat: ChatModel, { order, tokens }: { order: Order; tokens: readonly number[] }): Verdict {
  const { prompt, request } = asked(chat, order);
  const all = [...prompt, ...tokens];
  const job: AnsweredJob = { T: all.length, request, claimed: [tokenBytes(all)] };
  return check(chat.model.engine, { model: chat.pkg.manifest, job });
}

function asked({ model, pkg }: ChatModel, { messages, ...sampling }: Order) {
  const prompt = renderChatTokens({ tokenizer: pkg.tokenizer(), template: pkg.template }, messages);
  const { vocabulary, engine } = model;
  return { prompt, request: llamaRequest({ prompt, ...sampling }, { maxT: engine.program.maxT, vocabulary }) };
}
