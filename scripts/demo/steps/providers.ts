import { z } from "zod";
import { foldmark, providerArgs, startServer } from "../foldmark.ts";
import { makeHome } from "../homes.ts";
import { type Home, need, type Provider, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";

const NAMES = ["ada", "blaise", "carl"];
export const DOLLAR = 1_000_000n;

export type Offer = { in: string; out: string; unit: string };
const OFFER: Offer = { in: "0.10", out: "0.40", unit: "20" };

const initData = z.object({ hardware: z.object({ device: z.string(), tokensPerSecond: z.number() }) });
export const readyLine = z.object({ event: z.literal("ready"), url: z.string(), payee: z.string() });

/** Three providers that know nothing of each other: each a process with its own key, ledger and port. */
export async function providersStep(stage: Stage, progress: Progress): Promise<StepResult> {
  progress.say("making their keys");
  const homes = await Promise.all(NAMES.map((name) => makeHome(stage, { name, dollars: 500n * DOLLAR })));
  let device = "";
  let starting: Promise<void> | undefined;
  for (const [i, home] of homes.entries()) {
    const name = NAMES[i] ?? "";
    progress.say(`${name} measures its hardware, registers, stakes and offers`);
    // one measures at a time; meanwhile the one before starts
    const [{ hardware }] = await Promise.all([joinMarket(stage, home, OFFER), starting]);
    device = hardware.device;
    progress.say(`${name} starts`);
    starting = serve(home).then((provider) => {
      stage.providers.push({ ...provider, name, tokensPerSecond: hardware.tokensPerSecond });
    });
  }
  await starting;
  return {
    lines: [
      ...stage.providers.map(
        ({ name, address, url, tokensPerSecond }) =>
          `${name.padEnd(7)} ${address}  ${url}  ${tokensPerSecond.toFixed(1)} tokens/s`,
      ),
      `each on ${device}, stake 100 TUSD, ${OFFER.in} / ${OFFER.out} TUSD for 10^6 tokens in / out`,
    ],
    figures: Object.fromEntries(
      stage.providers.map(({ name, address, tokensPerSecond }) => [name, { address, tokensPerSecond }]),
    ),
  };
}

/** Measures, registers, stakes and publishes offers for both models. */
export async function joinMarket(
  stage: Stage,
  { folder, passwordFile }: Home,
  offer: Offer,
): Promise<z.infer<typeof initData>> {
  const { rpc } = need(stage, "chain");
  const models = ["--model", need(stage, "chat").dir, "--model", need(stage, "simulation").dir];
  const prices = ["--price-in", offer.in, "--price-out", offer.out, "--price-unit", offer.unit];
  const settings = ["--rpc", rpc, "--password-file", passwordFile, "--listen", "127.0.0.1:0"];
  return initData.parse(
    await foldmark(folder, ["init", "--quick", "--stake", "100", ...models, ...prices, ...settings, "--yes"]),
  );
}

/** `foldmark start` on a home folder that `init` has set up; its settings are in the folder. */
export async function serve(home: Home): Promise<Omit<Provider, "name" | "tokensPerSecond">> {
  const { process, ready } = await startServer("provider", {
    args: providerArgs([]),
    env: { FOLDMARK_HOME: home.folder },
    ready: readyLine,
  });
  return { ...home, process, url: ready.url };
}
