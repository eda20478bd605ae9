// The thread of one disputed answer: it builds the trace, then answers questions about it, one at a time. Serving has
// a thread of its own and goes on meanwhile.
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { codeOf } from "@foldmark/protocol";
import { families, openPackage } from "@foldmark/workloads";
import { buildTrace } from "./buildTrace.ts";
import type { DisputeTrace } from "./disputeTrace.ts";
import { localTrace } from "./localTrace.ts";
import type { FromTrace, ToTrace, TraceQuestion, TraceStart } from "./traceMessages.ts";

const port = parentPort as MessagePort;
const { folder, ...job } = workerData as TraceStart;
const post = (message: FromTrace) => port.postMessage(message);

const failed = (id: number | undefined, error: unknown) =>
  post({ type: "failed", id, code: codeOf(error), message: error instanceof Error ? error.message : String(error) });

try {
  const { program, constants } = await openPackage(folder, { families, verify: "once" });
  const built = await buildTrace(program, constants, job);
  const trace = localTrace(built, { program, constants, job });
  const { seconds } = built;
  port.on("message", ({ id, question }: ToTrace) => {
    ask(trace, question).then(
      (value) => post({ type: "answer", id, value }),
      (error) => failed(id, error),
    );
  });
  post({ type: "built", T: trace.T, root: trace.root, firstFalse: trace.firstFalse, seconds });
} catch (error) {
  failed(undefined, error);
  port.close();
}

function ask(trace: DisputeTrace, question: TraceQuestion): Promise<unknown> {
  switch (question.kind) {
    case "nodes":
      return trace.nodes(question.under, question.depth);
    case "leaf":
      return trace.leaf(question.of, question.index);
    case "refutation":
      return trace.refutation(question.known);
  }
}
