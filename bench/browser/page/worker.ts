import { openWasmWith, type Session } from "@foldmark/machine";
import { type BrowserPackage, openBrowserPackage, removeBrowserPackages } from "@foldmark/workloads/browser";
import { answer, checkAnswer } from "./answers.ts";
import { type OpenedModel, openedModel, positions, read, sessionOf } from "./positions.ts";
import type { Answer, Ask, Asks, Failure, FromWorker, ToWorker } from "./requests.ts";

// what is used of a worker's scope, whose types are not loaded beside Node's
declare const postMessage: (data: FromWorker) => void;
declare const addEventListener: (event: "message", listen: (event: { data: ToWorker }) => void) => void;

let opened: { model: OpenedModel; pkg: BrowserPackage } | undefined;
let session: Session | undefined;
let opening = new AbortController();

const work: { [A in Ask]: (asked: Asks[A]["asked"]) => Asks[A]["answer"] | Promise<Asks[A]["answer"]> } = {
  async open({ threads = 1, ...source }) {
    const start = performance.now();
    opening = new AbortController();
    const pkg = await openBrowserPackage({
      ...{ ...source, signal: opening.signal },
      onProgress: (done) => postMessage({ progress: done }),
    });
    const verified = performance.now();
    const model = openedModel(await openWasmWith(pkg.program, pkg.constants, { threads }), pkg);
    opened = { model, pkg };
    const { fetchedBytes } = pkg;
    const { vocabulary } = model;
    return { packageMs: verified - start, engineMs: performance.now() - verified, fetchedBytes, vocabulary };
  },
  stop() {
    opening.abort();
    return null;
  },
  positions: (asked) => positions(theOpened().model, asked),
  answer: (order) => answer(theOpened(), order),
  check: (asked) => checkAnswer(theOpened(), asked),
  prepare({ tokens }) {
    session?.close();
    const { model } = theOpened();
    session = sessionOf(model);
    read(model, session, tokens);
    return null;
  },
  decode({ tokens }) {
    if (!session) throw new Error("nothing was prepared");
    const { model } = theOpened();
    const start = performance.now();
    const samples: number[] = [];
    for (const token of tokens) samples.push(...read(model, session, [token]));
    return { wallMs: performance.now() - start, samples };
  },
  close() {
    session?.close();
    opened?.model.engine.close();
    opened?.pkg.close();
    session = opened = undefined;
    return null;
  },
  async remove() {
    await removeBrowserPackages();
    return null;
  },
};

function theOpened() {
  if (opened) return opened;
  throw new Error("no package was opened");
}

addEventListener("message", async ({ data }) => {
  const { id, asked } = data;
  postMessage({ id, answer: await answerTo(asked).catch((error) => ({ error: failureOf(error) })) });
});

async function answerTo<A extends Ask>({ ask, of }: { ask: A; of: Asks[A]["asked"] }): Promise<Answer<A>> {
  return { value: await work[ask](of) };
}

function failureOf(error: unknown): Failure {
  const { message, code = "", details = {} } = error as { message: string; code?: string; details?: object };
  return { code, message, details: { ...details } };
}
