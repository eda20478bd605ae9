import { type LlamaContext, LlamaCpp } from "../llamaCpp/context.ts";
import { median } from "../statistics.ts";
import { cpuMs, interleaved, medians, type Rounds, ratio } from "./rounds.ts";
import type { Subject } from "./subject.ts";

export const DECODE_AT = [32, 256, 1_000];
export const PREFILLS = [64, 256, 512];
/** Tokens decoded for one measurement. */
export const DECODED = 32;

type Contestant = "ours" | "flashOn" | "flashOff";
export type Comparison = { ratio: number; milliseconds: Record<Contestant, number> };
export type Comparisons = { decode: Record<string, Comparison>; prefill: Record<string, Comparison> };

/**
 * Milliseconds of CPU time a token, ours and llama.cpp's with 8-bit weights, both greedy; llama.cpp with and without flash
 * attention, and compared is the better of the two at each figure.
 */
export async function againstLlamaCpp(
  subject: Subject,
  { q8, cacheDir, rounds }: { q8: string; cacheDir: string; rounds: number },
): Promise<Comparisons> {
  await using llama = await LlamaCpp.open(q8, { cacheDir });
  const flashOn = await llama.context({ flashAttention: true });
  const flashOff = await llama.context({ flashAttention: false });
  const decode: Comparisons["decode"] = {};
  const prefill: Comparisons["prefill"] = {};
  for (const position of DECODE_AT) {
    const contestants = {
      ours: oursDecodes(subject, position),
      flashOn: await theirsDecodes(flashOn, subject, position),
      flashOff: await theirsDecodes(flashOff, subject, position),
    };
    decode[position] = comparison(await interleaved(contestants, rounds));
  }
  for (const length of PREFILLS) {
    const contestants = {
      ours: () => oursReads(subject, length),
      flashOn: () => theirsReads(flashOn, subject, length),
      flashOff: () => theirsReads(flashOff, subject, length),
    };
    prefill[length] = comparison(await interleaved(contestants, rounds));
  }
  return { decode, prefill };
}

function comparison(times: Rounds<Contestant>): Comparison {
  const better = median(times.flashOn) < median(times.flashOff) ? times.flashOn : times.flashOff;
  return { ratio: ratio(better, times.ours), milliseconds: medians(times) };
}

/** Each measurement starts at the position: a fork of the session that read the text, and a context that is cut back. */
function oursDecodes(subject: Subject, position: number): () => Promise<number> {
  const read = subject.open();
  const [first = 0] = subject.read([[read, subject.text.slice(0, position)]]);
  return async () => {
    const session = subject.engine.fork(read, { reserveSteps: position + DECODED });
    let token = first;
    const time = await cpuMs(() => {
      for (let i = 0; i < DECODED; i++) [token = 0] = subject.read([[session, [token]]]);
    });
    session.close();
    return time / DECODED;
  };
}

async function theirsDecodes(
  context: LlamaContext,
  { text }: Subject,
  position: number,
): Promise<() => Promise<number>> {
  context.cut(0);
  const first = await context.read(text.slice(0, position));
  return async () => {
    context.cut(position);
    let token = first;
    const time = await cpuMs(async () => {
      for (let i = 0; i < DECODED; i++) token = await context.read([token]);
    });
    return time / DECODED;
  };
}

async function oursReads(subject: Subject, length: number): Promise<number> {
  const session = subject.open();
  const time = await cpuMs(() => subject.read([[session, subject.text.slice(0, length)]]));
  session.close();
  return time / length;
}

async function theirsReads(context: LlamaContext, { text }: Subject, length: number): Promise<number> {
  context.cut(0);
  return (await cpuMs(() => context.read(text.slice(0, length)))) / length;
}
