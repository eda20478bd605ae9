import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { generateWhole } from "@foldmark/workloads";
import { median } from "../statistics.ts";
import { openServingNode } from "./servingNode.ts";
import type { Subject } from "./subject.ts";

const PROMPT = 64;
const ANSWER = 100;
type Times = { generate: number; accept: number; sign: number };

/**
 * What being paid and being accountable take of an answer of 100 tokens, by the node's own code: checking the voucher and
 * entering it before, roots, digest, signature and entry of the answer after. Wall time in milliseconds, because waiting for
 * the disk is no CPU time: both entries are on disk when they return.
 */
export async function signedPath(
  subject: Subject,
  { dir, cacheDir, rounds }: { dir: string; cacheDir: string; rounds: number },
) {
  const folder = await mkdtemp(path.join(cacheDir, "ledger-")); // the system's folder for such things may be memory
  try {
    using node = await openServingNode(dir, { folder });
    const { request, prompt } = hundredTokens(subject);
    const times: Times[] = [];
    for (let round = 0; round <= rounds; round++) {
      const order = await node.order(request);
      const started = performance.now();
      const accepted = await node.accept(order);
      const taken = performance.now();
      const completion = generate(subject, { request, prompt });
      const generated = performance.now();
      node.sign(accepted, completion);
      const signed = performance.now();
      times.push({ generate: generated - taken, accept: taken - started, sign: signed - generated });
    }
    const measured = times.slice(1); // the first warmed everything up
    return {
      share: median(measured.map(({ generate, accept, sign }) => (accept + sign) / (accept + generate + sign))),
      milliseconds: {
        generate: median(measured.map(({ generate }) => generate)),
        accept: median(measured.map(({ accept }) => accept)),
        sign: median(measured.map(({ sign }) => sign)),
      },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first prompt of the text whose answer is as long as that. */
function hundredTokens(subject: Subject): { request: Uint8Array[]; prompt: number[] } {
  for (let at = 0; at + PROMPT <= subject.text.length; at += PROMPT) {
    const prompt = subject.text.slice(at, at + PROMPT);
    const request = subject.request({ prompt, limit: ANSWER });
    if (generate(subject, { request, prompt }).tokens.length === ANSWER) return { request, prompt };
  }
  throw new Error("the model ends every answer before 100 tokens");
}

const generate = ({ engine, served }: Subject, { request, prompt }: { request: Uint8Array[]; prompt: number[] }) =>
  generateWhole(engine, { model: served, request, prompt, limit: ANSWER });
