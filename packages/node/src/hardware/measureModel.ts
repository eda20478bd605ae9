import { randomBytes } from "node:crypto";
import type { AnswerEngine } from "../engine/answerEngine.ts";
import type { OpenedModel } from "../engine/openModel.ts";

/** Tokens that are decoded for one measurement: enough to average over, short enough to wait for. */
const TOKENS = 32;
/** An answer this short says nothing about speed: the model stopped at once, another prompt is tried. */
const FEWEST = 8;
const TRIES = 4;
const PROMPT_TOKENS = 8;

/**
 * Decoded tokens a second of one request on the real model, the prompt's time not counted. 0 for a simulation, and for a
 * model that ends every answer at once.
 */
export async function measureTokensPerSecond(engine: AnswerEngine, model: OpenedModel): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const request = model.probe({
      promptTokens: PROMPT_TOKENS,
      limit: Math.min(TOKENS, model.context - PROMPT_TOKENS),
      seed: randomBytes(8).readBigUInt64LE(),
    });
    if (!request) return 0;
    const times: number[] = [];
    const run = engine.run({ asset: model.asset, request }, { hint() {}, tokens: () => times.push(performance.now()) });
    await run.result;
    const [first, last] = [times[0], times.at(-1)];
    if (first !== undefined && last !== undefined && times.length >= FEWEST)
      return ((times.length - 1) * 1_000) / (last - first);
  }
  return 0;
}
