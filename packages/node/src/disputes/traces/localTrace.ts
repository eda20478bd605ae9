import {
  CommittedTensors,
  type ConstantSource,
  falseElement,
  type Job,
  type Program,
  RevealedNodes,
  refutationOf,
  type Trace,
} from "@foldmark/machine";
import type { DisputeTrace, KnownFalse } from "./disputeTrace.ts";

/** A trace in this thread, with what evidence is built from. */
export function localTrace(
  trace: Trace,
  { program, constants, job }: { program: Program; constants: ConstantSource; job: Job },
): DisputeTrace {
  const weights = new CommittedTensors(program.constants.length, constants);
  const disputed = { ...job, constants: weights };
  return {
    T: trace.T,
    root: trace.root,
    firstFalse: trace.firstFalse,
    nodes: async (under, depth) => trace.nodes(under, depth),
    leaf: async (of, index) => trace.leaf(of, index),
    async refutation(known?: KnownFalse) {
      if (!known) {
        if (!trace.firstFalse) throw new Error("a trace without a false element refutes nothing");
        return refutationOf(program, disputed, { ...trace.firstFalse, j: 0 }, { trace });
      }
      const { stage, fold, t, index } = known.leaf.position;
      const of = { stage, fold, t };
      const { data } = known.leaf;
      const nodes = new RevealedNodes();
      for (const { position, depth, nodes: shown } of known.reveals) nodes.add(position, depth, shown);
      const target = falseElement(program, { of, index, T: trace.T }, { own: trace.leaf(of, index), theirs: data });
      return refutationOf(program, disputed, target, { trace, theirs: { nodes, leaf: { of, index, data } } });
    },
    close: async () => trace.close(),
  };
}
