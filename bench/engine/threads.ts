import type { BenchModel } from "../model.ts";
import { interleaved, medians, ratio } from "./rounds.ts";
import { openSubject, type Subject } from "./subject.ts";

const POSITION = 32;
const DECODED = 32;

/** Decoding with two threads over one: wall time a token, because helpers' CPU time is the price and not the gain. */
export async function threads(one: Subject, { model, rounds }: { model: BenchModel; rounds: number }) {
  const two = await openSubject(model, { threads: 2 });
  try {
    const times = await interleaved({ one: () => decode(one), two: () => decode(two) }, rounds);
    return { ratio: ratio(times.one, times.two), milliseconds: medians(times) };
  } finally {
    two.engine.close();
  }
}

function decode(subject: Subject): number {
  const session = subject.open();
  let [token = 0] = subject.read([[session, subject.text.slice(0, POSITION)]]);
  const start = performance.now();
  for (let i = 0; i < DECODED; i++) [token = 0] = subject.read([[session, [token]]]);
  const time = performance.now() - start;
  session.close();
  return time / DECODED;
}
