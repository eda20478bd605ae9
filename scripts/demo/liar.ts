import path from "node:path";
import { parseAmount } from "@foldmark/protocol";
import { type Asked, ask } from "./ask.ts";
import { startServer } from "./foldmark.ts";
import { makeHome } from "./homes.ts";
import type { Provider, Stage } from "./stage.ts";
import { DOLLAR, joinMarket, type Offer, readyLine } from "./steps/providers.ts";
import type { Progress } from "./terminal.ts";

/** The token of each of its answers that a liar changes. */
export const FALSE_TOKEN = 3;

const QUESTION = "List three fruits.";
const MOST_TOKENS = 40;

/** Prices are cheaper than the honest ones, each in another way, so that a price cap leads to one liar alone. */
type LiarTerms = { name: string; offer: Offer; flags: string[] };
export const FORGER: LiarTerms = {
  name: "mallory",
  offer: { in: "0.05", out: "0.10", unit: "10" },
  flags: ["--forge"],
};
export const SILENT: LiarTerms = { name: "oscar", offer: { in: "0.03", out: "0.20", unit: "10" }, flags: [] };

export type Liar = Provider & { offer: Offer };

/** Makes a key, registers, stakes, offers and serves. */
export async function joinLiar(stage: Stage, { name, offer, flags }: LiarTerms): Promise<Liar> {
  const home = await makeHome(stage, { name, dollars: 500n * DOLLAR });
  await joinMarket(stage, home, offer);
  const { process, ready } = await startServer(name, {
    args: [path.resolve("test/adversaries/lyingProvider.ts"), "--at", String(FALSE_TOKEN), ...flags],
    env: { FOLDMARK_HOME: home.folder },
    ready: readyLine,
  });
  const liar = { ...home, name, process, url: ready.url, tokensPerSecond: 0, offer };
  stage.providers.push(liar);
  return liar;
}

/** Asks at the liar's price at most. @throws where another provider answers */
export async function buyLie(stage: Stage, { offer, address }: Liar, progress: Progress): Promise<Asked> {
  progress.note(`asking, at its price at most: ${QUESTION}`);
  const cap = `in=${parseAmount(offer.in)}, out=${parseAmount(offer.out)}`;
  const answer = await ask(stage, QUESTION, {
    maxTokens: MOST_TOKENS,
    headers: { "x-foldmark-max-price": cap },
    onText: (piece) => progress.stream(piece),
  });
  if (answer.receipt.answer.payee !== address) throw new Error("another provider answered");
  return answer;
}
