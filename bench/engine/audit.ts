import { check, generateWhole, tokenBytes } from "@foldmark/workloads";
import { cpuMs, interleaved, medians, ratio } from "./rounds.ts";
import type { Subject } from "./subject.ts";

export const AUDITED = 512;
const PROMPT = 8;
const SAMPLED = { temperature: 0.8, minP: 0.05 };

/**
 * Checking an answer of 512 tokens over making it, CPU time: `check` is what an auditor calls (one prefill, the logits of
 * every token compared with the claim), `rows` the prefill in it alone. Greedy, and sampled.
 */
export async function audit(subject: Subject, rounds: number) {
  const greedy = answer(subject, { temperature: 0, minP: 0 });
  const sampled = answer(subject, SAMPLED);
  const times = await interleaved(
    {
      decode: () => cpuMs(() => generate(subject, greedy)),
      check: () => cpuMs(() => checked(subject, greedy)),
      rows: () => cpuMs(() => readRows(subject, greedy)),
      decodeSampled: () => cpuMs(() => generate(subject, sampled)),
      checkSampled: () => cpuMs(() => checked(subject, sampled)),
    },
    rounds,
  );
  return {
    ratio: ratio(times.check, times.decode),
    sampledRatio: ratio(times.checkSampled, times.decodeSampled),
    milliseconds: medians(times),
  };
}

type Answer = ReturnType<typeof answer>;

/** The first answer that goes on to the limit: one that the model ends by itself is shorter. */
function answer(subject: Subject, sampling: { temperature: number; minP: number }) {
  for (let at = 0; ; at += PROMPT) {
    const prompt = subject.text.slice(at, at + PROMPT);
    if (prompt.length < PROMPT) throw new Error("no answer of the model goes on to the limit");
    const request = subject.request({ prompt, limit: AUDITED, seed: 1n, ...sampling });
    const job = generate(subject, { request, prompt });
    if (job.T === PROMPT + AUDITED) return { request, prompt, job };
  }
}

function generate({ engine, served }: Subject, { request, prompt }: { request: Uint8Array[]; prompt: number[] }) {
  return generateWhole(engine, { model: served, request, prompt, limit: AUDITED });
}

function checked({ engine, served }: Subject, { job }: Answer): void {
  const verdict = check(engine, { model: served, job });
  if (!verdict.equal) throw new Error(`a true answer was called false: ${verdict.rule}`);
}

function readRows({ engine, model }: Subject, { request, job, prompt }: Answer): void {
  const session = engine.open({ request });
  const { stage, fold } = model.program.sample;
  const read = [...prompt, ...job.tokens].slice(0, -1);
  const want = [{ stage, fold, steps: "all" as const }];
  engine.advance([{ session, steps: read.length, claimed: [tokenBytes(read)], want }]);
  session.close();
}
