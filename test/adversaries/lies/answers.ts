// Lies about the answer: the arithmetic is the model's, the text is not what it gives for the order.
import { tokenBytes, withLimit } from "@foldmark/workloads";
import { anOrder, answering, answerOf, modelOf, type Order, openChat, requestOf } from "./models.ts";
import { type Lie, type Told, toldInChat, traceOf } from "./told.ts";

const DIFFERENT_PROMPT = [8, 33, 12];
const VOCABULARY = 64;

/** The first order of a model, by its seed, whose answer has a property. */
async function orderWhere(is: (tokens: number[], order: Order) => boolean, change: Partial<Order> = {}) {
  const chat = await openChat();
  using model = await answering(chat);
  for (let seed = 1n; seed < 500n; seed++) {
    const order = anOrder({ ...change, seed });
    const tokens = model.answer(order);
    if (is(tokens, order)) return { chat, order, tokens };
  }
  throw new Error("no order has such an answer");
}

const stopsEarly = (tokens: number[], { limit }: Order) => tokens.length < limit && tokens.length > 2;
const isFull = (tokens: number[], { limit }: Order) => tokens.length === limit;
const isSame = (a: readonly number[], b: readonly number[]) => a.join() === b.join();

/** The order's own answer: what a liar's differ from. */
export const truth: Lie = async () => {
  const found = await orderWhere(isFull);
  return toldInChat(found, traceOf);
};

/** A small model chooses the tokens; the large one only reads them, which takes one pass. */
export const cheaperModelTeacherForced: Lie = async () => {
  const [chat, cheaper] = [await openChat(), await openChat(2)];
  const order = anOrder();
  return toldInChat({ chat, order, tokens: await answerOf(cheaper, order) });
};

/** The tokens that follow another prompt, as if they followed this one. */
export const answerToAnotherPrompt: Lie = async () => {
  const chat = await openChat();
  const order = anOrder();
  return toldInChat({ chat, order, tokens: await answerOf(chat, { ...order, prompt: DIFFERENT_PROMPT }) });
};

/** The claimed tokens begin with another prompt than the order's. */
export const anotherPromptClaimed: Lie = async () => {
  const chat = await openChat();
  const order = anOrder();
  const other = { ...order, prompt: DIFFERENT_PROMPT };
  const tokens = await answerOf(chat, other);
  const told = await toldInChat({ chat, order, tokens });
  const job = { ...told.stated.job, claimed: [tokenBytes([...other.prompt, ...tokens])] };
  return { ...told, stated: { ...told.stated, job }, shown: await traceOf(told.stated.model, job) };
};

/** A true answer to another order, signed as what it is. */
async function anotherOrder(other: (order: Order) => Order): Promise<Told> {
  const chat = await openChat();
  const order = anOrder();
  const theirs = other(order);
  const told = await toldInChat({ chat, order: theirs, tokens: await answerOf(chat, theirs) }, traceOf);
  return { ...told, ordered: { model: "chat", request: requestOf(chat, order) } };
}

export const anotherPrompt: Lie = () => anotherOrder((order) => ({ ...order, prompt: DIFFERENT_PROMPT }));
export const anotherSeed: Lie = () => anotherOrder((order) => ({ ...order, seed: order.seed + 1n }));

export const wrongSeed: Lie = async () => {
  const chat = await openChat();
  const order = anOrder();
  using model = await answering(chat);
  const tokens = model.answer(order);
  for (let seed = order.seed + 1n; ; seed++) {
    const others = model.answer({ ...order, seed });
    if (!isSame(others, tokens)) return toldInChat({ chat, order, tokens: others });
  }
};

export const stoppedEarly: Lie = async () => {
  const { tokens, ...found } = await orderWhere(isFull);
  return toldInChat({ ...found, tokens: tokens.slice(0, -2) });
};

/** Ended early and signed for a request with the limit lowered, as is right only for an answer that its payer has cut. */
export const stoppedEarlyAsIfCut: Lie = async () => {
  const { chat, order, tokens } = await orderWhere(isFull);
  const told = await toldInChat({ chat, order, tokens: tokens.slice(0, -2) });
  const job = { ...told.stated.job, request: withLimit(told.stated.job.request, tokens.length - 2) };
  return { ...told, stated: { model: modelOf(chat), job }, shown: await traceOf(modelOf(chat), job) };
};

/** Goes on after the stop token up to the limit: more tokens, more money. */
export const padded: Lie = async () => {
  const { tokens, ...found } = await orderWhere(stopsEarly);
  const more = Array.from({ length: found.order.limit - tokens.length }, (_, i) => 17 + i);
  return toldInChat({ ...found, tokens: [...tokens, ...more] });
};

/** One token more than was allowed, by what the model would have said with a higher limit. */
export const onePastTheLimit: Lie = async () => {
  const { chat, order } = await orderWhere(isFull, { limit: 9 });
  const tokens = await answerOf(chat, order);
  return toldInChat({ chat, order: { ...order, limit: 8 }, tokens });
};

/** The stop token itself lies behind the limit, where a careless rule takes the stop for an excuse. */
export const stopOnePastTheLimit: Lie = async () => {
  const { chat, order, tokens } = await orderWhere(stopsEarly);
  return toldInChat({ chat, order: { ...order, limit: tokens.length - 1 }, tokens });
};

/** What was answered to an earlier order, signed for a later one. */
export const replayedTokens: Lie = async () => {
  const chat = await openChat();
  const order = anOrder();
  const earlier = await answerOf(chat, anOrder({ prompt: [40, 41, 42], seed: 77n }));
  return toldInChat({ chat, order, tokens: earlier });
};

/** A token that the vocabulary does not have and the embedding clamps to its last one. */
export const tokenOutsideTheVocabulary: Lie = async () => {
  const { tokens, ...found } = await orderWhere(isFull);
  return toldInChat({ ...found, tokens: tokens.with(3, VOCABULARY) });
};
