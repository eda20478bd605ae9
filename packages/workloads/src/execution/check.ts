import { BYTES, type ElementType, type Engine, expressionsOf, sizeAt, type Want } from "@foldmark/machine";
import { readLlamaRequest, tokenBytes, tokensOf } from "../llama/request.ts";
import { sampleScore } from "../llama/score.ts";
import { type AnsweredJob, answerOf, lastStage, type ServedModel } from "./job.ts";
import { computeAnswer, lengthOf } from "./whole.ts";

/** A token that was compared, with what the model gave it, Q16 nat: the logit, and what sampling maximises. */
export type Candidate = { token: number; logit: number; score: bigint };

/** Why an answer is false. `position` counts from the first token of the prompt. */
export type Difference =
  | { rule: "claimed_shape"; detail: string }
  | { rule: "prompt"; position: number; claimed: number; expected: number }
  /** Another token than the model samples: `expected` has the higher score, or the same and the lower number. */
  | { rule: "token"; position: number; claimed: Candidate | { token: number }; expected: Candidate }
  | { rule: "vocabulary"; position: number; claimed: number }
  | { rule: "no_answer"; position: number }
  | { rule: "ended_early"; position: number }
  | { rule: "ran_past_stop"; position: number }
  | { rule: "ran_past_limit"; position: number }
  /** A simulation's length or result is another. */
  | { rule: "length"; claimed: number; expected: number }
  | { rule: "result"; element: number; claimed: bigint; expected: bigint };

export type Verdict = { equal: true } | ({ equal: false } & Difference);

/**
 * Executes an answer again, all of it in one prefill (a simulation: whole), and says whether it is what the model gives.
 * `equal` is true if and only if every element of the last stage is 1.
 * @throws `request.*` where no answer to the request could be true
 */
export function check(engine: Engine, { model, job }: { model: ServedModel; job: AnsweredJob }): Verdict {
  const shape = shapeDifference(engine, job);
  if (shape) return { equal: false, ...shape };
  return model.length === "open" ? checkTokens(engine, model, job) : checkWhole(engine, model, job);
}

function checkTokens(engine: Engine, model: ServedModel, job: AnsweredJob): Verdict {
  const logits = candidates(engine, model);
  const vocabulary = logits.count;
  const { prompt, limit } = readLlamaRequest(job.request, { maxT: engine.program.maxT, vocabulary });
  const tokens = tokensOf(job.claimed[0] as Uint8Array);
  const differs = (difference: Difference): Verdict => ({ equal: false, ...difference });

  const wrongPrompt = prompt.findIndex((token, t) => t < tokens.length && tokens[t] !== token);
  if (wrongPrompt >= 0) {
    const [claimed, expected] = [tokens[wrongPrompt] as number, prompt[wrongPrompt] as number];
    return differs({ rule: "prompt", position: wrongPrompt, claimed, expected });
  }
  if (tokens.length <= prompt.length) return differs({ rule: "no_answer", position: tokens.length });

  const session = engine.open({ request: job.request });
  try {
    const { stage, fold } = answerOf(model);
    const read = (part: number[], want: Want[]) =>
      part.length === 0 ? [] : engine.advance([{ session, steps: part.length, claimed: [tokenBytes(part)], want }]);
    // nobody asks what would follow the tokens of the prompt but the last, and logits are a fifth of the work
    const before = prompt.length - 1;
    read(tokens.slice(0, before), []);
    const [result] = read(tokens.slice(before, -1), [{ stage, fold, steps: "all" }]);
    const sampled = tokensOf(result?.[0] ?? new Uint8Array());
    const sampledAt = (position: number) => sampled[position - 1 - before] as number;
    const isTrue = engine.finish(session, job).every((element) => element === 1);
    if (isTrue) return { equal: true };

    for (let t = prompt.length; t < tokens.length; t++) {
      const token = tokens[t] as number;
      const generated = t - prompt.length + 1;
      if (generated > limit) return differs({ rule: "ran_past_limit", position: t });
      if (token !== sampledAt(t))
        return differs(tokenDifference(engine, job, { logits, tokens, position: t, sampled: sampledAt(t) }));
      if (token < 0 || token >= vocabulary) return differs({ rule: "vocabulary", position: t, claimed: token });
      const isLast = t === tokens.length - 1;
      const isStop = model.stopIds.includes(token);
      if (isStop && !isLast) return differs({ rule: "ran_past_stop", position: t + 1 });
      if (isLast && !isStop && generated < limit) return differs({ rule: "ended_early", position: t });
    }
  } finally {
    session.close();
  }
  throw new Error("the last stage is not 1 everywhere, and no rule of it is broken");
}

/** The two scores that refute a token: read the answer again up to the step that predicted it. */
function tokenDifference(
  engine: Engine,
  { request }: AnsweredJob,
  { logits, tokens, position, sampled }: { logits: Candidates; tokens: number[]; position: number; sampled: number },
): Difference {
  const session = engine.open({ request });
  try {
    const read = tokens.slice(0, position);
    const [result] = engine.advance([
      {
        session,
        steps: position,
        claimed: [tokenBytes(read)],
        want: [{ stage: logits.stage, fold: logits.fold, steps: "last" }],
      },
    ]);
    const values = tokensOf(result?.[0] ?? new Uint8Array());
    const best = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const sampling = readLlamaRequest(request, { maxT: engine.program.maxT, vocabulary: logits.count });
    const candidate = (token: number): Candidate => {
      const logit = values[token] as number;
      return { token, logit, score: sampleScore({ step: position - 1, token, logit, best }, sampling) };
    };
    const token = tokens[position] as number;
    const claimed = values[token] === undefined ? { token } : candidate(token);
    return { rule: "token", position, claimed, expected: candidate(sampled) };
  } finally {
    session.close();
  }
}

type Candidates = { stage: number; fold: number; count: number };

/** The fold among whose elements the answer's argmax chooses: the one that it loads at column k. */
function candidates({ program }: Engine, model: ServedModel): Candidates {
  const { stage, fold } = answerOf(model);
  for (const node of expressionsOf(program, stage, fold).body.nodes) {
    if (node.op !== "fold" || node.args[2]?.op !== "k") continue;
    const chosen = program.stages[node.stage]?.folds[node.fold];
    if (chosen?.type === "i32")
      return { stage: node.stage, fold: node.fold, count: sizeAt(chosen.cols, { t: 0, T: 1 }) };
  }
  throw new Error("the answer of this model is no choice among the elements of a fold");
}

function checkWhole(engine: Engine, model: ServedModel, job: AnsweredJob): Verdict {
  const T = lengthOf(engine, { model, request: job.request });
  if (job.T !== T) return { equal: false, rule: "length", claimed: job.T, expected: T };
  const [ok] = engine.run({ ...job, want: [{ stage: lastStage(engine), fold: 0, steps: "all" }] });
  if (ok?.every((element) => element === 1)) return { equal: true };
  const truth = computeAnswer(engine, { model, request: job.request, T });
  const { type } = engine.program.claimed[0] as { type: ElementType };
  const claimed = elementsOf(type, job.claimed[0] as Uint8Array);
  const expected = elementsOf(type, truth);
  const element = claimed.findIndex((value, i) => value !== expected[i]);
  if (element < 0) throw new Error("the last stage is not 1 everywhere, and the result is the same");
  return {
    equal: false,
    rule: "result",
    element,
    claimed: claimed[element] as bigint,
    expected: expected[element] as bigint,
  };
}

function elementsOf(type: ElementType, bytes: Uint8Array): bigint[] {
  const width = BYTES[type];
  return Array.from({ length: bytes.length / width }, (_, i) => {
    let value = 0n;
    for (let byte = width - 1; byte >= 0; byte--) value = (value << 8n) | BigInt(bytes[i * width + byte] as number);
    return BigInt.asIntN(8 * width, value);
  });
}

/** A claimed tensor of another size than T says, or a T that no job has. */
function shapeDifference({ program }: Engine, { T, claimed }: AnsweredJob): Difference | undefined {
  if (!(Number.isInteger(T) && T >= 1 && T <= program.maxT)) {
    return { rule: "claimed_shape", detail: `T is ${T}, a job has 1 to ${program.maxT} steps` };
  }
  if (claimed.length !== program.claimed.length) {
    return { rule: "claimed_shape", detail: `${claimed.length} claimed tensors, not ${program.claimed.length}` };
  }
  for (const [i, { type, rows, cols }] of program.claimed.entries()) {
    const bytes = BYTES[type] * sizeAt(rows, { t: 0, T }) * sizeAt(cols, { t: 0, T });
    if (claimed[i]?.length !== bytes) {
      return { rule: "claimed_shape", detail: `claimed tensor ${i} has ${claimed[i]?.length} bytes, not ${bytes}` };
    }
  }
  return undefined;
}
