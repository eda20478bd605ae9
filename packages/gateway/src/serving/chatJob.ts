import { type BaseUnits, type Prices, priceOfAnswer } from "@foldmark/protocol";
import type { ServedChat } from "../models/servedModel.ts";
import type { Evidence } from "./evidence.ts";

/** A chat request as it is given to providers. */
export type ChatJob = {
  model: ServedChat;
  /** The rendered prompt. */
  prompt: readonly number[];
  /** Answer tokens at most. */
  limit: number;
  stops: readonly string[];
  /** The request tensors of prompt, limit and sampling. */
  request: Uint8Array[];
};

/** The most that the request can cost at these prices. */
export const maximumOfChat = ({ prompt, limit }: ChatJob, prices: Prices): BaseUnits =>
  priceOfChat({ promptTokens: prompt.length, answerTokens: limit }, prices);

export const priceOfChat = (usage: { promptTokens: number; answerTokens: number }, prices: Prices): BaseUnits =>
  priceOfAnswer({ ...usage, priceIn: prices.in, priceOut: prices.out });

export const evidenceOfChat = ({ prompt, limit, request }: ChatJob, prices: Prices): Evidence => ({
  kind: "chat",
  prices,
  request,
  promptTokens: prompt.length,
  limit,
  T: 0,
});
