import { cpuMs, interleaved, medians, ratio } from "./rounds.ts";
import type { Subject } from "./subject.ts";

const POSITION = 128;
const DECODED = 16;

/** Decoding with tokens drawn over decoding greedily, CPU time a token; each goes on with its own tokens. */
export async function sampling(subject: Subject, rounds: number) {
  const times = await interleaved(
    {
      greedy: decoder(subject, { temperature: 0, minP: 0 }),
      minP: decoder(subject, { temperature: 0.8, minP: 0.05 }),
      all: decoder(subject, { temperature: 0.8, minP: 0 }),
    },
    rounds,
  );
  return {
    ratio: ratio(times.minP, times.greedy),
    withoutMinP: ratio(times.all, times.greedy),
    milliseconds: medians(times),
  };
}

function decoder(subject: Subject, order: { temperature: number; minP: number }): () => Promise<number> {
  const session = subject.open(order);
  let [token = 0] = subject.read([[session, subject.text.slice(0, POSITION)]]);
  return async () => {
    const time = await cpuMs(() => {
      for (let i = 0; i < DECODED; i++) [token = 0] = subject.read([[session, [token]]]);
    });
    return time / DECODED;
  };
}
