import { assetIdOf, FoldmarkError, modelIdOf, toHash } from "@foldmark/protocol";
import type { AnswerEngine, Completion, EngineJob, EngineListener, ServedModel } from "../src/engine/answerEngine.ts";

const hash = (byte: string) => toHash(`0x${byte.repeat(32)}`);
const roots = { header: `0x${"01".repeat(14)}` as const, programRoot: hash("a1"), weightsRoot: hash("a2") };

/** A model whose request is `[promptTokens, limit]` in one byte each. */
export const MODEL: ServedModel = {
  ...roots,
  asset: assetIdOf(modelIdOf(roots), hash("a3")),
  modelId: modelIdOf(roots),
  packageHash: hash("a3"),
  name: "scripted",
  kind: "chat",
  context: 64,
  folder: "/nowhere",
  measure([request]) {
    const [promptTokens, limit] = request ?? [];
    if (!promptTokens || !limit || promptTokens + limit > 64)
      throw new FoldmarkError("request.invalid", "no true statement", { details: { fields: ["request"] } });
    return { kind: "chat", promptTokens, limit };
  },
};

export const SIMULATION: ServedModel = {
  ...MODEL,
  packageHash: hash("b3"),
  asset: assetIdOf(modelIdOf(roots), hash("b3")),
  kind: "simulation",
  measure: ([request]) => ({ kind: "simulation", steps: request?.[0] ?? 0 }),
};

export type ScriptedRun = {
  job: EngineJob;
  listener: EngineListener;
  cuts: number[];
  aborted: boolean;
  complete(completion: Completion): void;
  fail(error: unknown): void;
};

/** An engine whose every move a test makes. */
export function scriptedEngine(): AnswerEngine & { runs: ScriptedRun[] } {
  const runs: ScriptedRun[] = [];
  return {
    runs,
    models: [MODEL, SIMULATION],
    run(job, listener) {
      const { promise, resolve, reject } = Promise.withResolvers<Completion>();
      const run: ScriptedRun = { job, listener, cuts: [], aborted: false, complete: resolve, fail: reject };
      runs.push(run);
      return {
        result: promise,
        cut: (tokens) => run.cuts.push(tokens),
        abort() {
          run.aborted = true;
          reject(new FoldmarkError("request.cancelled", "aborted"));
        },
      };
    },
    close: async () => {},
  };
}
