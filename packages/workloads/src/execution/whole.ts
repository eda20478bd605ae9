import { BYTES, type CallOptions, type Engine, sizeAt, tensorsOf, type Want } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";
import { type AnsweredJob, answerOf, assertTrue, lastStage, type ServedModel } from "./job.ts";

/**
 * Runs a model whose answer is a fold, run whole, and evaluates its last stage to 1 before it returns.
 * @throws `machine.aborted`, `machine.out_of_memory`, `execution.*`
 */
export function runWhole(
  engine: Engine,
  { model, request, ...options }: { model: ServedModel; request: Uint8Array[] } & CallOptions,
): AnsweredJob {
  const T = lengthOf(engine, { model, request });
  const claimed = [computeAnswer(engine, { model, request, T, ...options })];
  const want: Want[] = [{ stage: lastStage(engine), fold: 0, steps: "all" }];
  const [ok] = engine.run({ T, request, claimed, want }, options);
  assertTrue(ok ?? new Uint8Array(1));
  return { request, claimed, T };
}

/** What the claimed tensor of a true answer holds. */
export function computeAnswer(
  engine: Engine,
  { model, request, T, ...options }: { model: ServedModel; request: Uint8Array[]; T: number } & CallOptions,
): Uint8Array {
  const { stage, fold } = answerOf(model);
  // the answer is computed before it is claimed: only the last stage reads this tensor
  const claimed = engine.program.claimed.map(({ type, rows, cols }) => {
    const at = { t: 0, T };
    return new Uint8Array(BYTES[type] * sizeAt(rows, at) * sizeAt(cols, at));
  });
  const [answer] = engine.run({ T, request, claimed, want: [{ stage, fold, steps: "all" }] }, options);
  if (answer) return answer;
  throw new Error("the engine returned nothing for the answer");
}

/**
 * T of a job whose request says it.
 * @throws `execution.length_unsupported` for a model whose answers end by themselves, `execution.length` outside 1..maxT
 */
export function lengthOf(engine: Engine, { model, request }: { model: ServedModel; request: Uint8Array[] }): number {
  if (model.length === "open") {
    throw new WorkloadError(
      "execution.length_unsupported",
      "The answers of this model end by themselves; run it step by step.",
    );
  }
  const [number, column] = model.length.request;
  const bytes = request[number];
  const declared = tensorsOf(engine.program)[number];
  const { maxT } = engine.program;
  const width = declared ? BYTES[declared.type] : 8;
  const element = bytes?.subarray(column * width, (column + 1) * width);
  const T = element?.length === width ? signed(element) : 0n;
  if (T >= 1n && T <= BigInt(maxT)) return Number(T);
  throw new WorkloadError("execution.length", `A job has 1 to ${maxT} steps, not ${T}.`, { T, maxT });
}

function signed(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(8 * bytes.length, value);
}
