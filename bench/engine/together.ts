import type { Session } from "@foldmark/machine";
import { cpuMs, interleaved, medians, ratio } from "./rounds.ts";
import type { Subject } from "./subject.ts";

const SESSIONS = 8;
const POSITION = 256;
const DECODED = 16;

/** Tokens a second of eight sessions that move together, over one session alone; CPU time a token. */
export async function together(subject: Subject, rounds: number) {
  const times = await interleaved({ one: decoder(subject, 1), eight: decoder(subject, SESSIONS) }, rounds);
  return { ratio: ratio(times.one, times.eight), milliseconds: medians(times) };
}

/** Sessions that read different texts; each measurement goes on where the last one ended. */
function decoder(subject: Subject, count: number): () => Promise<number> {
  const sessions = Array.from({ length: count }, () => subject.open());
  let moves: [Session, number[]][] = sessions.map((session, i) => [
    session,
    subject.text.slice(i * POSITION, (i + 1) * POSITION),
  ]);
  const decode = () => {
    const sampled = subject.read(moves);
    moves = sessions.map((session, i) => [session, [sampled[i] as number]]);
  };
  decode();
  return async () => {
    const time = await cpuMs(() => {
      for (let i = 0; i < DECODED; i++) decode();
    });
    return time / (DECODED * count);
  };
}
