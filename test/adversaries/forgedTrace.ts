import { foldTensorBytes, leavesPosition, type Program } from "@foldmark/machine";
import { LEAF_BYTES } from "@foldmark/machine/commitments";
import { type ForgedLeaf, forge } from "@foldmark/machine/testing";
import { buildTrace, localTrace, type OpenTrace } from "@foldmark/node";
import { families, openPackage, readLlamaRequest, tokenBytes, tokensOf } from "@foldmark/workloads";

type Fold = { stage: number; fold: number };

/**
 * The trace of a chat whose provider would rather not be found out: what the model samples after the prompt is said to be
 * what was claimed, and the last stage to be 1 everywhere. Nothing in it contradicts the lie but the logits.
 */
export const openForgedTrace: OpenTrace = async ({ folder, ...job }) => {
  const model = await openPackage(folder, { families, verify: "once" });
  const { program, constants, manifest } = model;
  const [answer] = manifest.answers;
  if (!answer) throw new Error("a model that answers nothing is no chat");
  const { T, request, claimed } = job;
  const bounds = { maxT: program.maxT, vocabulary: model.tokenizer().vocabulary };
  const prompt = readLlamaRequest(request, bounds).prompt.length;
  const tokens = tokensOf(claimed[answer.claimed] ?? new Uint8Array());

  const honest = await buildTrace(program, constants, job);
  const sampled = tokensOf(bytesOf(program, answer, T, (index) => honest.leaf(tensorOf(answer), index)));
  const said = sampled.map((token, t) => (t + 1 < prompt ? token : (tokens[t + 1] ?? token)));
  const last = { stage: program.stages.length - 1, fold: 0 };
  const changes = [
    ...leavesOf(program, answer, T, tokenBytes(said)),
    ...leavesOf(program, last, T, new Uint8Array(foldTensorBytes(program, tensorOf(last), T)).fill(1)),
  ];
  return localTrace(forge(honest, { program, changes }), { program, constants, job });
};

/** Of a stage outside any loop. */
const tensorOf = ({ stage, fold }: Fold) => ({ stage, fold, t: 0 });

function leavesOf(program: Program, fold: Fold, T: number, bytes: Uint8Array): ForgedLeaf[] {
  const of = tensorOf(fold);
  const { length } = leavesPosition(program, of, T);
  return Array.from({ length }, (_, index) => ({
    of,
    index,
    bytes: bytes.slice(index * LEAF_BYTES, (index + 1) * LEAF_BYTES),
  }));
}

function bytesOf(program: Program, fold: Fold, T: number, leaf: (index: number) => Uint8Array): Uint8Array {
  const list = leavesPosition(program, tensorOf(fold), T);
  const bytes = new Uint8Array(list.tensorBytes);
  for (let index = 0; index < list.length; index++) bytes.set(leaf(index), index * LEAF_BYTES);
  return bytes;
}
