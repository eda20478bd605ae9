import type { Hex } from "@foldmark/workloads/browser";
import { someTokens } from "./positions.ts";
import type { Answer, Ask, Asked, Asks, BenchPage, FromWorker, ToWorker } from "./requests.ts";

// what is used of a page's scope, whose types are not loaded beside Node's
declare const Worker: new (
  url: URL,
  options: { type: "module" },
) => {
  postMessage(data: ToWorker): void;
  onmessage: (event: { data: FromWorker }) => void;
  onerror: (event: { message: string }) => void;
};
declare const document: { querySelector(selector: string): { textContent: string } };
declare const location: { search: string };

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });

const waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
let asks = 0;

const bench: BenchPage = {
  progress: [],
  ask(asked) {
    const id = asks++;
    worker.postMessage({ id, asked });
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  },
};
worker.onmessage = ({ data }) => {
  if ("progress" in data) bench.progress.push(data.progress);
  else waiting.get(data.id)?.resolve(data.answer);
};
worker.onerror = ({ message }) => {
  for (const { reject } of waiting.values()) reject(new Error(message));
};
Object.assign(globalThis, { bench });

async function ask<A extends Ask>(name: A, of: Asks[A]["asked"]): Promise<Asks[A]["answer"]> {
  const answer = (await bench.ask({ ask: name, of } as Asked)) as Answer<A>;
  if ("value" in answer) return answer.value;
  throw new Error(`${answer.error.code} ${answer.error.message}`);
}

const POSITION = 32;
const STEPS = 64;

/** What `?package=HASH&asset=ID` shows: the speed at position 32, and what has to be the same on every machine. */
async function run(packageHash: string, assetId: Hex): Promise<object> {
  const { packageMs, engineMs, fetchedBytes, vocabulary } = await ask("open", {
    url: `/v1/packages/${packageHash}`,
    assetId,
  });
  const tokens = someTokens(POSITION + STEPS, vocabulary);
  const { digest, samples } = await ask("positions", { tokens, by: "decode" });
  await ask("prepare", { tokens: tokens.slice(0, POSITION) });
  const { wallMs } = await ask("decode", { tokens: tokens.slice(POSITION) });
  return { packageMs, engineMs, fetchedBytes, tokensPerSecond: (1_000 * STEPS) / wallMs, digest, samples };
}

const status = document.querySelector("[role=status]");
const output = document.querySelector("pre");
const query = new URLSearchParams(location.search);
const [packageHash, assetId] = [query.get("package"), query.get("asset") as Hex | null];
if (packageHash && assetId) {
  run(packageHash, assetId).then(
    (result) => {
      output.textContent = JSON.stringify(result, null, 2);
      status.textContent = "done";
    },
    (error: Error) => {
      status.textContent = `failed: ${error.message}`;
    },
  );
} else status.textContent = "ready";
