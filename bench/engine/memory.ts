import { fork } from "node:child_process";
import { once } from "node:events";
import type { MemoryFigures, MemoryTask } from "./memoryChild.ts";

const STEPS = 1_024;

/**
 * Memory of an engine with one session of 1,024 steps, over the package's size and what that session must keep: by what
 * the engine counts, and by what its process holds above a process that has opened nothing.
 */
export async function memory(dir: string) {
  const child = fork(new URL("./memoryChild.ts", import.meta.url));
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the process whose memory is measured ended with ${code}`);
  });
  ended.catch(() => undefined);
  child.send({ dir, steps: STEPS } satisfies MemoryTask);
  const [figures]: MemoryFigures[] = await Promise.race([once(child, "message"), ended]);
  if (!figures) throw new Error("the process whose memory is measured said nothing");
  const { bareBytes, residentBytes, usedBytes, sessionBytes, packageBytes } = figures;
  const least = packageBytes + sessionBytes;
  return { ratio: usedBytes / least, residentRatio: (residentBytes - bareBytes) / least, bytes: figures };
}
