// `npm run demo`: the whole story on this machine, with real parts only. See README.md.
import { rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readOptions } from "./demo/options.ts";
import { keepOutput, stopAll } from "./demo/processes.ts";
import { need, type Stage } from "./demo/stage.ts";
import { chainStep } from "./demo/steps/chain.ts";
import { checkStep } from "./demo/steps/check.ts";
import { failoverStep } from "./demo/steps/failover.ts";
import { falseChallengeStep } from "./demo/steps/falseChallenge.ts";
import { gatewayStep } from "./demo/steps/gateway.ts";
import { lieStep } from "./demo/steps/lie.ts";
import { CHAT_ALIAS, modelStep } from "./demo/steps/model.ts";
import { providersStep } from "./demo/steps/providers.ts";
import { serviceStep } from "./demo/steps/service.ts";
import { settlementStep } from "./demo/steps/settlement.ts";
import { silenceStep } from "./demo/steps/silence.ts";
import { simulationStep } from "./demo/steps/simulation.ts";
import { play, type Step } from "./demo/story.ts";
import { fallSilent } from "./demo/terminal.ts";

const STORY: Step<Stage>[] = [
  { name: "chain", title: "A chain of its own, and the market's contracts", run: chainStep },
  { name: "model", title: "A language model becomes integers, and an asset", run: modelStep },
  { name: "providers", title: "Three providers join", run: providersStep },
  { name: "gateway", title: "A gateway opens", run: gatewayStep },
  { name: "service", title: "An answer, streamed", run: serviceStep },
  { name: "check", title: "A third party checks it", run: checkStep },
  { name: "failover", title: "A provider dies in the middle of a stream", run: failoverStep },
  { name: "lie", title: "A provider lies, and the court takes its stake", run: lieStep },
  { name: "silence", title: "Another liar says nothing, and loses by time", run: silenceStep },
  { name: "falseChallenge", title: "An honest answer is challenged, and stands", run: falseChallengeStep },
  { name: "simulation", title: "A simulation on the same machine", run: simulationStep },
  { name: "settlement", title: "Everybody is paid", run: settlementStep },
];

const options = readOptions(process.argv.slice(2));
const work = options.keep ? path.resolve(options.keep) : await mkdtemp(path.join(tmpdir(), "foldmark-demo-"));
if (options.keep) {
  await mkdir(work, { recursive: true, mode: 0o700 });
  keepOutput(path.join(work, "logs"));
}
let isLeaving = false;

// whatever way the story ends, its keys and passwords do not stay
process.on("exit", () => {
  if (!options.keep) rmSync(work, { recursive: true, force: true });
});

async function leave(code: number): Promise<never> {
  isLeaving = true;
  await stopAll();
  process.exit(code);
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.on(signal, () => {
    if (isLeaving) process.exit(code); // asked twice: at once
    fallSilent();
    console.log("\nending every process ...");
    void leave(code);
  });

// for every process below: somebody is watching, so it looks at the chain twice a second, and it starts in half the time
process.env.FOLDMARK_NETWORK_POLL_MS ??= "500";
process.env.NODE_COMPILE_CACHE ??= path.join(options.cache, "compiled");
const stage: Stage = { options, work, providers: [], answers: [] };
const ok = await play(STORY, stage, options.json);
if (isLeaving) await new Promise(() => {}); // a signal is ending the processes
if (!ok) await leave(1);
if (options.once || !process.stdout.isTTY) await leave(0);
console.log(howToTalk(stage));

/** The market stays up until Ctrl-C. */
function howToTalk(stage: Stage): string {
  const { url, apiKey } = need(stage, "gateway");
  const body = JSON.stringify({ model: CHAT_ALIAS, messages: [{ role: "user", content: "Hello!" }], temperature: 0 });
  return `
The market stays up until Ctrl-C. Talk to it:

  curl ${url}/v1/chat/completions -H 'authorization: Bearer ${apiKey}' -H 'content-type: application/json' -d '${body}'

  import OpenAI from "openai";
  const client = new OpenAI({ baseURL: "${url}/v1", apiKey: "${apiKey}" });
  const messages = [{ role: "user", content: "Hello!" }];
  const answer = await client.chat.completions.create({ model: "${CHAT_ALIAS}", messages, temperature: 0 });
  console.log(answer.choices[0].message.content);

  API page: ${url}/docs

Join it with a provider of your own, in a second terminal (the folder is there as long as this market is):

  npx foldmark init --quick --rpc ${need(stage, "chain").rpc} --deployment ${path.join(stage.work, "deployment.json")} \\
    --model ${need(stage, "chat").dir} --price-in 0.08 --price-out 0.30 --yes
  npx foldmark start`;
}
