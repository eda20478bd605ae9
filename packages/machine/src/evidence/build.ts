import { LEAF_BYTES } from "../commitments/tensor.ts";
import { readElement } from "../elements.ts";
import { encodeCode } from "../encode.ts";
import type { Job } from "../engine.ts";
import { MachineError } from "../errors.ts";
import { BYTES, type Fold, type Program, sizeAt } from "../program.ts";
import { bodyAt, element, type Operands } from "../reference/element.ts";
import { elementOfPlace, foldAt, placeOfElement } from "../trace/layout.ts";
import type { FoldTensor } from "../trace/trace.ts";
import { CommittedTensors } from "./committedTensors.ts";
import { openInPayeeTree, type PayeeTree } from "./payeeTree.ts";
import { type ReadTensor, recordingOperands, runsOf } from "./reads.ts";
import { openRecords } from "./records.ts";
import type { OpenedTensor, Refutation, Target } from "./refutation.ts";

/** The job that a statement is about, with the constants of its model. */
export type DisputedJob = Job & { constants: TensorCommitment };

/** Bytes and openings of the tensors under one root. */
export type TensorCommitment = Pick<CommittedTensors, "bytes" | "open">;

/**
 * Everything that a referee reads to judge one element of a payee's trace: the records and the code that it follows from,
 * its leaf, and every leaf that its evaluation reads, each once. Whether the element is false is not asked.
 * @throws `machine.bad_position`, `machine.bad_target` for what the program does not have; `machine.evidence_missing` where
 * the payee has not yet shown what is needed
 */
export function refutationOf(program: Program, job: DisputedJob, target: Target, payee: PayeeTree): Refutation {
  const fold = foldAt(program, target.stage, target.fold);
  const { of, leaf, byte } = placeOfElement(program, target, job.T);
  const { data, siblings } = openInPayeeTree(program, payee, { of, first: leaf, length: 1 });
  const claimed = readElement(fold.type, data, (byte % LEAF_BYTES) / BYTES[fold.type]);

  const tensor = tensorFinder(program, job);
  const { operands, read } = recordingOperands(program, {
    T: job.T,
    tensor: (number) => tensor(number).list.bytes(tensor(number).index),
    leaf: (operand, index) => payee.trace.leaf(operand, index),
  });
  const isEvidentlyFalse = target.stage === program.stages.length - 1 && claimed !== 1n;
  if (!isEvidentlyFalse) readAll(program, { target, fold, claimed }, { T: job.T, operands });

  const opened = ({ tensor: number, of, leaves }: ReadTensor): OpenedTensor[] =>
    runsOf(leaves).map(({ first, length }) => {
      if (number === undefined) return fromFold(of, first, openInPayeeTree(program, payee, { of, first, length }));
      const { list, index } = tensor(number);
      return { isFold: false, number, fold: 0, t: 0, first, ...list.open(index, first, length) };
    });
  return {
    target,
    records: openRecords(program, target),
    code: encodeCode(fold),
    openings: [fromFold(of, leaf, { data, siblings }), ...read().flatMap(opened)],
  };
}

/**
 * The element that shows a leaf of the payee's to be false, where all that the leaf follows from is agreed on: the first
 * that differs from one's own; of an argmax with the index that beats the claimed one.
 * @throws `machine.leaves_agree`
 */
export function falseElement(
  program: Program,
  { of, index, T }: { of: FoldTensor; index: number; T: number },
  leaves: { own: Uint8Array; theirs: Uint8Array },
): Target {
  const { type, combine } = foldAt(program, of.stage, of.fold);
  const byte = leaves.own.findIndex((own, i) => own !== leaves.theirs[i]);
  if (byte < 0) throw new MachineError("machine.leaves_agree", "The two leaves are equal.", { ...of, leaf: index });
  const inLeaf = Math.floor(byte / BYTES[type]);
  const at = elementOfPlace(program, of, { element: (index * LEAF_BYTES) / BYTES[type] + inLeaf, T });
  return { ...at, j: combine === "argmax" ? Number(readElement(type, leaves.own, inLeaf)) : 0 };
}

/** Evaluates what the referee will, for the sake of what it reads. */
function readAll(
  program: Program,
  { target, fold, claimed }: { target: Target; fold: Fold; claimed: bigint },
  job: { T: number; operands: Operands },
): void {
  if (fold.combine !== "argmax") {
    element(program, target, job);
    return;
  }
  const terms = sizeAt(fold.axis, { t: target.t, T: job.T });
  if (target.j >= terms)
    throw new MachineError(
      "machine.bad_target",
      `The argmax has ${terms} indices, ${target.j} is none of them.`,
      target,
    );
  if (claimed < 0n || claimed >= BigInt(terms)) return; // an index that does not exist is false by itself
  for (const k of [target.j, Number(claimed)]) bodyAt(program, { ...target, k }, job);
}

/** Where a tensor is found by its number: first the request's, then the claimed, then the constants. */
function tensorFinder(program: Program, { request, claimed, constants }: DisputedJob) {
  const lists = [
    { list: CommittedTensors.of(request), length: program.requests.length },
    { list: CommittedTensors.of(claimed), length: program.claimed.length },
  ];
  return (number: number): { list: TensorCommitment; index: number } => {
    let index = number;
    for (const { list, length } of lists) {
      if (index < length) return { list, index };
      index -= length;
    }
    return { list: constants, index };
  };
}

const fromFold = ({ stage, fold, t }: FoldTensor, first: number, leaves: Pick<OpenedTensor, "data" | "siblings">) => ({
  ...{ isFold: true, number: stage, fold, t, first },
  ...leaves,
});
