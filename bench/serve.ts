import { cpus } from "node:os";
import path from "node:path";
import { defaultCacheDir, mixedCorpus } from "@foldmark/workloads";
import { z } from "zod";
import { start } from "../scripts/demo/processes.ts";
import { q8File } from "./llamaCpp/q8File.ts";
import type { BenchOptions } from "./main.ts";
import { benchFile } from "./model.ts";
import { questions } from "./serve/chatBody.ts";
import { ask, type Load, load, type Target } from "./serve/load.ts";
import { openMarket } from "./serve/market.ts";
import { median } from "./statistics.ts";

const CONCURRENCIES = [1, 8, 32];
/** Requests of one measurement: enough for everybody to be replaced. */
const requestsAt = (concurrency: number): number => Math.max(8, 2 * concurrency);

const readyLine = z.object({ event: z.literal("ready"), url: z.string() });

/**
 * Chats through gateway and node on a chain of its own, beside llama.cpp behind a plain HTTP server, in turn: answer tokens a
 * second and the time to the first token. Wall time: this machine's cores are shared by everything that takes part.
 */
export async function benchServe({ rounds = 3, only, ...options }: BenchOptions): Promise<Record<string, unknown>> {
  const cache = options.cache ?? defaultCacheDir(process.env);
  const cacheDir = path.join(cache, "bench");
  const concurrencies = only?.map(Number) ?? CONCURRENCIES;
  const { path: gguf, sha256 } = await benchFile(options);
  const q8 = await q8File(gguf, { sha256, cacheDir });
  await using market = await openMarket({ gguf, cache, capacity: Math.max(...concurrencies) });
  const texts = (await mixedCorpus()).flatMap((part) => (part.kind === "text" ? [part.text] : []));
  const asked = questions(texts.join(" "));
  await ask(market.target, asked[0] as string); // opens the gateway's channel

  const concurrency: Record<string, ReturnType<typeof compared>> = {};
  for (const clients of concurrencies) {
    const llama = await startLlama(q8, { cacheDir, sequences: clients });
    const ours: Load[] = [];
    const theirs: Load[] = [];
    for (let round = 0; round <= rounds; round++) {
      const some = Array.from({ length: requestsAt(clients) }, () => asked.shift() as string);
      asked.push(...some); // nobody is asked the same again soon
      ours.push(await load(market.target, { questions: some, concurrency: clients }));
      theirs.push(await load(llama.target, { questions: some, concurrency: clients }));
    }
    await llama.stop();
    const figures = compared(ours.slice(1), theirs.slice(1)); // the first warmed both up
    concurrency[clients] = figures;
    print(clients, figures);
  }
  return { cpu: cpus()[0]?.model ?? "unknown", node: process.version, rounds, concurrency };
}

async function startLlama(file: string, { cacheDir, sequences }: { cacheDir: string; sequences: number }) {
  const script = path.resolve("bench/serve/llamaServer.ts");
  const { process, ready } = await start("llama.cpp", [script, file, cacheDir, String(sequences)], {
    ready: (line) => (line.startsWith('{"event"') ? readyLine.parse(JSON.parse(line)) : undefined),
  });
  const target: Target = { url: ready.url, headers: {}, model: "llama.cpp" };
  return { target, stop: () => process.stop() };
}

function compared(ours: Load[], theirs: Load[]) {
  return {
    throughputRatio: median(ours.map((load, round) => throughput(load) / throughput(theirs[round] as Load))),
    ...{ ours: figuresOf(ours), llamaCpp: figuresOf(theirs) },
  };
}

const throughput = ({ seconds, answers }: Load): number =>
  answers.reduce((sum, { answerTokens }) => sum + answerTokens, 0) / seconds;

function figuresOf(loads: Load[]) {
  const answers = loads.flatMap(({ answers }) => answers);
  const waits = answers.map(({ firstTokenMs }) => firstTokenMs).sort((a, b) => a - b);
  const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0;
  return {
    requests: answers.length,
    promptTokens: median(answers.map(({ promptTokens }) => promptTokens)),
    answerTokens: median(answers.map(({ answerTokens }) => answerTokens)),
    tokensPerSecond: median(loads.map(throughput)),
    firstTokenP50Ms: at(0.5),
    firstTokenP99Ms: at(0.99),
  };
}

function print(clients: number, { throughputRatio, ours, llamaCpp }: ReturnType<typeof compared>): void {
  for (const [who, figures] of Object.entries({ ours, llamaCpp })) {
    const { tokensPerSecond, firstTokenP50Ms, firstTokenP99Ms } = figures;
    const numbers = [tokensPerSecond, firstTokenP50Ms, firstTokenP99Ms].map((figure) => figure.toFixed(0));
    process.stderr.write(`| ${clients} | ${who} | ${numbers.join(" | ")} |\n`);
  }
  process.stderr.write(`${clients}: ${throughputRatio.toFixed(2)} times llama.cpp's throughput\n`);
}
