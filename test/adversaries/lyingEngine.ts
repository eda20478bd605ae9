import type { AnswerEngine, Completion, EngineJob, EngineListener, EngineRun } from "@foldmark/node";
import { tokenBytes, tokensOf } from "@foldmark/workloads";

/**
 * Another token than the model's: a neighbour, never one of the low ids, where stop tokens are, so that what is wrong is
 * this token and not where the answer ends.
 */
export const falseToken = (token: number): number => (token > 16 ? token - 1 : token + 17);

/** An engine that changes answer token number `at` of each chat and answers for it as if it were the model's own. */
export function lyingEngine(engine: AnswerEngine, { at }: { at: number }): AnswerEngine {
  return {
    models: engine.models,
    run(job, listener) {
      const size = engine.models.find(({ asset }) => asset === job.asset)?.measure(job.request);
      return size?.kind === "chat"
        ? lie(engine, { job, listener, at, promptTokens: size.promptTokens })
        : engine.run(job, listener);
    },
    close: () => engine.close(),
  };
}

type Lie = { job: EngineJob; listener: EngineListener; at: number; promptTokens: number };

function lie(engine: AnswerEngine, { job, listener, at, promptTokens }: Lie): EngineRun {
  let count = 0;
  const run = engine.run(job, {
    hint(agreed) {
      count = agreed;
      listener.hint(agreed);
    },
    tokens(ids) {
      listener.tokens(ids.map((id, i) => (count + i === at ? falseToken(id) : id)));
      count += ids.length;
    },
  });
  return {
    result: run.result.then((completion) => changed(completion, promptTokens + at)),
    cut: (tokens) => run.cut(tokens),
    abort: () => run.abort(),
  };
}

function changed({ T, request, claimed }: Completion, position: number): Completion {
  const tokens = tokensOf(claimed[0] ?? new Uint8Array());
  const token = tokens[position];
  // an answer that ended before the lie is an honest one
  return {
    T,
    request,
    claimed: token === undefined ? claimed : [tokenBytes(tokens.with(position, falseToken(token)))],
  };
}
