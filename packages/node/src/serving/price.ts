import { type BaseUnits, type Prices, priceOfAnswer, priceOfWork } from "@foldmark/protocol";
import type { RequestSize } from "../engine/answerEngine.ts";

/** The most that a request can cost. */
export function maximumOf(size: RequestSize, prices: Prices): BaseUnits {
  return priceOf(size, prices, size.kind === "chat" ? size.limit : 0);
}

/** What an answer costs; `answerTokens` counts for chats only. */
export function priceOf(size: RequestSize, prices: Prices, answerTokens: number): BaseUnits {
  if (size.kind === "simulation") return priceOfWork({ units: size.steps, priceUnit: prices.unit });
  return priceOfAnswer({ promptTokens: size.promptTokens, answerTokens, priceIn: prices.in, priceOut: prices.out });
}
