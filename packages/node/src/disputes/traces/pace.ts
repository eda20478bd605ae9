import { randomBytes } from "node:crypto";
import { examineProgram, isLeaf, type Position, type Program, rootPosition } from "@foldmark/machine";
import type { AnswerEngine } from "../../engine/answerEngine.ts";
import type { OpenedModel } from "../../engine/openModel.ts";
import { roundsOf } from "../court/cost.ts";
import type { OpenTrace } from "./disputeTrace.ts";

/** What building and showing the trace of one job took. Times in seconds. */
export type Pace = { T: number; trace: number; reveal: number };

/** A whole game may take so long at most, in seconds: clocks of a flood lie an hour apart. */
export const LONGEST_DEFENCE = 1_800;

const PROMPT_TOKENS = 8;
const ANSWER_TOKENS = 24;

/** Builds the trace of a short answer of the model itself; undefined for a simulation, which has no probe. */
export async function measurePace(
  model: OpenedModel,
  { engine, openTrace }: { engine: AnswerEngine; openTrace: OpenTrace },
): Promise<Pace | undefined> {
  const seed = randomBytes(8).readBigUInt64LE();
  const limit = Math.min(ANSWER_TOKENS, model.context - PROMPT_TOKENS);
  const request = limit > 0 ? model.probe({ promptTokens: PROMPT_TOKENS, limit, seed }) : undefined;
  if (!request) return undefined;
  const completion = await engine.run({ asset: model.asset, request }, { hint() {}, tokens() {} }).result;
  const startedAt = performance.now();
  const trace = await openTrace({ folder: model.folder, ...completion });
  const builtAt = performance.now();
  try {
    const top: Position = rootPosition(model.program);
    if (!isLeaf(top)) await trace.nodes(top, Math.min(4, top.height));
    await trace.leaf({ stage: Math.floor(model.program.stages.length / 2), fold: 0, t: 0 }, 0);
    const { seconds = (builtAt - startedAt) / 1_000 } = trace;
    return { T: completion.T, trace: seconds, reveal: (performance.now() - builtAt) / 1_000 };
  } finally {
    await trace.close();
  }
}

/** The longest job whose defence takes no longer than it may, at this pace; at most the program's own limit. */
export function longestDefended(program: Program, pace: Pace): number {
  const workAt = (T: number) => Number(examineProgram({ ...program, maxT: T }).work);
  const known = workAt(pace.T);
  // two traces are kept: where many answers are disputed at once, each move may find its own gone and build it again
  const seconds = (T: number) => (workAt(T) / known) * roundsOf(program, T) * (pace.trace + pace.reveal);
  let [least, most] = [1, program.maxT];
  if (seconds(most) <= LONGEST_DEFENCE) return most;
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (seconds(middle) <= LONGEST_DEFENCE) least = middle;
    else most = middle - 1;
  }
  return least;
}
