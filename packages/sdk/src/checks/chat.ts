import type { Receipt } from "@foldmark/protocol";
import {
  llamaRequest,
  type ModelPackage,
  readLlamaRequest,
  renderChatTokens,
  tokensOf,
  WorkloadError,
} from "@foldmark/workloads";
import { type Asked, plainMessages, stopsOf } from "../asked.ts";
import { type Finding, fails, holds, unchecked } from "../finding.ts";

const DEFAULT_TEMPERATURE = 1;
const DEFAULT_MIN_P = 0;

const WHOLE_BODY = "give the whole body to compare";

type Chat = { receipt: Receipt; pkg: ModelPackage };

const boundsOf = ({ pkg }: Chat) => ({ maxT: pkg.program.maxT, vocabulary: pkg.tokenizer().vocabulary });

/** The answer's tokens, without the prompt's. */
export function answerTokens({ receipt }: Chat): number[] {
  return tokensOf(receipt.claimed[0] ?? new Uint8Array()).slice(receipt.usage.promptTokens);
}

/**
 * Every element of the request is what the caller asked; its messages are rendered again. Of messages alone nothing but
 * the prompt follows: the rest of the request may have been sent, or not.
 */
export function checkRequest(chat: Chat, asked: Asked | undefined): Finding {
  const { receipt, pkg } = chat;
  const bounds = boundsOf(chat);
  const request = readLlamaRequest(receipt.request, bounds);
  const answered = answerTokens(chat).length;
  const { promptTokens, answerTokens: counted } = receipt.usage;
  if (request.prompt.length !== promptTokens || counted !== answered)
    return fails(
      "request",
      `it counts ${promptTokens} + ${counted} tokens, its tensors hold ${request.prompt.length} + ${answered}`,
    );
  if (asked?.isWhole && receipt.seedByGateway === (typeof asked.seed === "number"))
    return fails("request", `it says that the seed was ${receipt.seedByGateway ? "not " : ""}sent`);
  const named = receipt.model.alias?.name ?? receipt.model.asset;
  if (typeof asked?.model === "string" && asked.model.toLowerCase() !== named.toLowerCase())
    return fails("request", `it is about ${named}, ${asked.model} was asked`);
  if (!asked) return unchecked("request", "give the messages that were sent to compare them with the prompt");

  const prompt = rendered(pkg, asked);
  if (typeof prompt === "string") return fails("request", `the template takes no such messages: ${prompt}`);
  const different = prompt.findIndex((token, t) => token !== request.prompt[t]);
  if (different >= 0 || prompt.length !== request.prompt.length)
    return fails("request", `the prompt is another one from token ${different < 0 ? prompt.length : different} on`);
  if (!asked.isWhole)
    return unchecked(
      "request",
      `${prompt.length} prompt tokens are those of the messages; ${WHOLE_BODY} temperature, min_p, seed, limit and stop`,
    );
  const seed = typeof asked.seed === "number" ? BigInt(asked.seed) : request.seed;
  if (BigInt.asUintN(64, seed) !== request.seed) return fails("request", `the seed is ${request.seed}, not ${seed}`);
  const temperature = asked.temperature ?? DEFAULT_TEMPERATURE;
  const minP = asked.min_p ?? DEFAULT_MIN_P;
  const mine = llamaRequest({ prompt, limit: request.limit, seed, temperature, minP }, bounds);
  if (mine.some((tensor, i) => !sameBytes(tensor, receipt.request[i])))
    return fails("request", `temperature ${temperature} and min_p ${minP} make other request tensors`);
  const whose = typeof asked.seed === "number" ? "" : "; the seed was the gateway's choice";
  return holds("request", `${prompt.length} prompt tokens rendered again, every element equal${whose}`);
}

/** The tokens of the messages, or why the package's template does not take them. */
function rendered(pkg: ModelPackage, asked: Asked): number[] | string {
  try {
    return renderChatTokens({ tokenizer: pkg.tokenizer(), template: pkg.template }, plainMessages(asked));
  } catch (error) {
    if (error instanceof WorkloadError) return error.message;
    throw error;
  }
}

/** The text that the caller was shown is what the answer's tokens say. */
export function checkText(
  chat: Chat,
  { asked, text }: { asked: Asked | undefined; text: string | undefined },
): Finding {
  const decoded = textOf(chat, asked ? stopsOf(asked) : []);
  const said = `the tokens say ${JSON.stringify(shortened(decoded))}`;
  if (text === undefined) return unchecked("text", said);
  if (decoded === text) return holds("text", `${text.length} characters equal the tokens`);
  // a stop string that is not known here may have ended it
  return !asked?.isWhole && decoded.startsWith(text)
    ? unchecked("text", `${said}, the text ends earlier; ${WHOLE_BODY} its stop strings`)
    : fails("text", said);
}

/** What the answer's tokens say, up to the first of the stop strings. */
export function textOf(chat: Chat, stops: readonly string[]): string {
  const whole = chat.pkg.tokenizer().decode(answerTokens(chat));
  const ends = stops.map((stop) => whole.indexOf(stop)).filter((end) => end >= 0);
  return whole.slice(0, Math.min(whole.length, ...ends));
}

/**
 * The answer ends where it had to: at a stop token, at the limit that was asked for, at a stop string of the caller (no
 * token later than needed), or where the caller itself cut it.
 */
export function checkCut(chat: Chat, { asked, cut }: { asked: Asked | undefined; cut: boolean }): Finding {
  const { receipt } = chat;
  const tokens = answerTokens(chat);
  const claim = receipt.cut;
  const isOver = ended(chat, tokens, asked);
  if (isOver && claim) return fails("cut", `it says that the ${claim.by} cut it, and it was ${isOver.detail}`);
  if (isOver) return isOver;
  if (claim && claim.tokens !== tokens.length)
    return fails("cut", `it says that it was cut after ${claim.tokens} tokens, it has ${tokens.length}`);
  const { limit } = readLlamaRequest(receipt.request, boundsOf(chat));
  if (cut && claim) return holds("cut", `cut by its caller after ${limit} tokens`);
  if (!asked?.isWhole) return unchecked("cut", `it has ${limit} tokens; ${WHOLE_BODY} its limit and stop strings`);
  if (!claim) return fails("cut", `its limit of ${limit} tokens was not asked for, and it names nobody who cut it`);
  const stop = stopsOf(asked).find((text) => text === claim.stop && endsAt(chat, tokens, text));
  return claim.by !== "stop" || stop === undefined
    ? fails("cut", `the ${claim.by} ended it after ${limit} tokens, and neither a stop string nor its caller did`)
    : holds("cut", `ended by the stop string ${JSON.stringify(stop)}`);
}

/** How an answer ended by itself, or with a limit that is too high; undefined for one that was cut. */
function ended(chat: Chat, tokens: readonly number[], asked: Asked | undefined): Finding | undefined {
  const { receipt, pkg } = chat;
  if (pkg.manifest.stopIds.includes(tokens.at(-1) ?? -1)) return holds("cut", "ended by a stop token");
  const { limit, prompt } = readLlamaRequest(receipt.request, boundsOf(chat));
  const askedLimit = asked?.isWhole
    ? (asked.max_completion_tokens ?? asked.max_tokens ?? pkg.program.maxT - prompt.length)
    : undefined;
  if (limit === askedLimit) return holds("cut", `ended by the limit of ${limit} tokens`);
  if (askedLimit !== undefined && limit > askedLimit)
    return fails("cut", `the limit is ${limit}, ${askedLimit} was asked for`);
  return undefined;
}

/** Whether the tokens hold the text and hold it only with the last of them. */
function endsAt({ pkg }: Chat, tokens: readonly number[], text: string): boolean {
  const tokenizer = pkg.tokenizer();
  return tokenizer.decode(tokens).includes(text) && !tokenizer.decode(tokens.slice(0, -1)).includes(text);
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return a.length === b?.length && a.every((byte, i) => byte === b[i]);
}

const shortened = (text: string) => (text.length > 200 ? `${text.slice(0, 200)} ...` : text);
