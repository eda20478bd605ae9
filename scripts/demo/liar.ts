import path from "node:path";
import { parseAmount } from "@foldmark/protocol";
import { type Asked, ask } from "./ask.ts";
import { chainSeen } from "./chainTime.ts";
import { startServer } from "./foldmark.ts";
import { makeHome } from "./homes.ts";
import type { Home, Provider, Stage } from "./stage.ts";
import { DOLLAR, joinMarket, type Offer, readyLine } from "./steps/providers.ts";
import type { Progress } from "./terminal.ts";

/** The token of each of its answers that a liar changes. */
export const FALSE_TOKEN = 3;

const QUESTION = "List three fruits.";
const MOST_TOKENS = 40;

export type Liar = { name: string; offer: Offer; home: Home };

/** A provider with stake and offers that has not started yet. Cheaper than others, so that a low price cap leads to it. */
export async function prepareLiar(stage: Stage, { name, offer }: Omit<Liar, "home">): Promise<Liar> {
  return { name, offer, home: await makeHome(stage, { name, dollars: 500n * DOLLAR }) };
}

/** Registers, stakes, offers and serves; `flags` are those of the program that lies. */
export async function startLiar(stage: Stage, { name, offer, home }: Liar, flags: string[]): Promise<Provider> {
  await joinMarket(stage, home, offer);
  const { process, ready } = await startServer(name, {
    args: [path.resolve("test/adversaries/lyingProvider.ts"), "--at", String(FALSE_TOKEN), ...flags],
    env: { FOLDMARK_HOME: home.folder },
    ready: readyLine,
  });
  const provider = { ...home, name, process, url: ready.url, tokensPerSecond: 0 };
  stage.providers.push(provider);
  await chainSeen(stage);
  return provider;
}

/** Asks at the liar's price at most. @throws where another provider answers */
export async function buyLie(stage: Stage, { offer, home }: Liar, progress: Progress): Promise<Asked> {
  progress.note(`asking, at its price at most: ${QUESTION}`);
  const cap = `in=${parseAmount(offer.in)}, out=${parseAmount(offer.out)}`;
  const answer = await ask(stage, QUESTION, {
    maxTokens: MOST_TOKENS,
    headers: { "x-foldmark-max-price": cap },
    onText: (piece) => progress.stream(piece),
  });
  if (answer.receipt.answer.payee !== home.address) throw new Error("another provider answered");
  return answer;
}
