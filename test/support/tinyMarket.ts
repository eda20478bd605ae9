// A market of real processes with a model that is small enough to be made in a test: the same steps by which the demo
// opens its market.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { families, importMonteCarlo, openPackage, writePackage } from "@foldmark/workloads";
import {
  accountAt,
  connectLocal,
  deployMarket,
  marketActor,
  startAnvil,
} from "../../packages/gateway/test/support/chain.ts";
import { smallByteTokenizer } from "../../packages/workloads/test/smallTokenizers.ts";
import { converted, randomLlama } from "../../packages/workloads/test/support/tinyLlama.ts";
import { openFunder } from "../../scripts/demo/funder.ts";
import { makeHome } from "../../scripts/demo/homes.ts";
import { stopAll } from "../../scripts/demo/processes.ts";
import type { Provider, Stage } from "../../scripts/demo/stage.ts";
import { CHAT_ALIAS } from "../../scripts/demo/steps/model.ts";
import { DOLLAR, joinMarket, type Offer, serve } from "../../scripts/demo/steps/providers.ts";
import type { Progress } from "../../scripts/demo/terminal.ts";

const OWNER = 8;
/** Long enough that an answer of thousands of tokens can be broken off in its middle. */
const CONTEXT = 4_096;

/** For steps of the demo that nobody watches. */
export const quiet: Progress = { say() {}, bar() {}, note() {}, stream() {} };

export type TinyMarket = Awaited<ReturnType<typeof openTinyMarket>>;

/** Chain, contracts and two assets; no provider and no gateway yet. */
export async function openTinyMarket() {
  await using undo = new AsyncDisposableStack();
  const work = await mkdtemp(path.join(tmpdir(), "foldmark-market-"));
  undo.defer(() => rm(work, { recursive: true, force: true }));
  const anvil = undo.use(await startAnvil());
  undo.defer(stopAll);
  const connection = await connectLocal(anvil.url);
  const deployment = await deployMarket(connection);
  const chat = await writeTinyChat(path.join(work, "tiny-chat"));
  await importMonteCarlo(path.join(work, "monte-carlo"));
  const simulation = await openPackage(path.join(work, "monte-carlo"), { families });
  const owner = marketActor(connection, deployment, OWNER);
  await owner.registerModel(chat, CHAT_ALIAS);
  await owner.registerModel(simulation, "european-call");

  const chain = { rpc: anvil.url, client: connection.client, deployment };
  const stage: Stage = {
    options: { once: true, json: undefined, model: undefined, keep: undefined, cache: work },
    ...{ work, chain, funder: openFunder(chain), chat, simulation, providers: [], answers: [] },
    owner: { folder: work, passwordFile: "", address: accountAt(OWNER).address },
  };
  const running = undo.move();
  return {
    stage,
    anvil,
    /** A provider that has joined and serves. */
    async open(name: string, offer: Offer): Promise<Provider> {
      const home = await makeHome(stage, { name, dollars: 500n * DOLLAR });
      await joinMarket(stage, home, offer);
      const provider = { ...(await serve(home)), name, tokensPerSecond: 0 };
      stage.providers.push(provider);
      return provider;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function writeTinyChat(dir: string) {
  const tokenizer = smallByteTokenizer();
  const source = randomLlama({ vocabulary: tokenizer.tokens.length, context: CONTEXT }, { sharpness: 3 });
  const { configuration, constants, model } = await converted(source, { maxT: CONTEXT, stopIds: [] });
  await writePackage(dir, {
    ...{ name: "tiny chat", licence: "Apache-2.0", family: { name: "llama", configuration }, built: model },
    constants: (index) => constants[index] ?? new Uint8Array(),
    ...{ report: {}, chat: { tokenizer, template: "{{ messages[0].content }}" } },
  });
  return openPackage(dir, { families });
}
