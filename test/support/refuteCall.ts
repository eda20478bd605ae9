import { encodeHeader, type Refutation } from "@foldmark/machine";
import { claimedRoot, programRoot, requestRoot, weightsRoot } from "@foldmark/machine/commitments";
import type { RandomJob } from "@foldmark/machine/testing";

/** The statement that is judged, as the contract takes it. */
export type Statement = {
  header: Uint8Array;
  programRoot: Uint8Array;
  weightsRoot: Uint8Array;
  requestRoot: Uint8Array;
  T: number;
  claimedRoot: Uint8Array;
};

export type RefuteCall = { statement: Statement; traceRoot: Uint8Array; evidence: Refutation };

/** What a job states. */
export const statementOf = ({ program, constants, job }: RandomJob): Statement => ({
  header: encodeHeader(program),
  programRoot: programRoot(program),
  weightsRoot: weightsRoot(constants),
  requestRoot: requestRoot(job.request),
  T: job.T,
  claimedRoot: claimedRoot(job.claimed),
});

const WORD = 32;

/** The arguments of `refute`. By hand, because a test encodes some hundred thousand evidences of some thousand words. */
export function encodeRefute({ statement, traceRoot, evidence }: RefuteCall): Uint8Array {
  const { target, records, code, openings } = evidence;
  const head = [
    bytesWord(statement.header),
    statement.programRoot,
    statement.weightsRoot,
    statement.requestRoot,
    statement.T,
    statement.claimedRoot,
    traceRoot,
    ...[target.stage, target.fold, target.t, target.r, target.c, target.j],
  ];
  const tails = [
    tupleArray(records.map(({ index, data, path }) => tuple([index], [bytes(data), words(path)]))),
    bytes(code),
    tupleArray(
      openings.map(({ isFold, number, fold, t, first, data, siblings }) =>
        tuple([isFold ? 1 : 0, number, fold, t, first], [bytes(data), words(siblings)]),
      ),
    ),
  ];
  return tuple(head, tails);
}

type Word = number | Uint8Array;

function word(value: Word): Uint8Array {
  if (typeof value !== "number") return value;
  const made = Buffer.alloc(WORD);
  made.writeUIntBE(value, WORD - 6, 6);
  return made;
}

/** Static members first, then the offsets of the others, then these. */
function tuple(head: readonly Word[], tails: readonly Uint8Array[]): Uint8Array {
  let offset = (head.length + tails.length) * WORD;
  const offsets = tails.map(({ length }) => {
    const at = offset;
    offset += length;
    return at;
  });
  return Buffer.concat([...head.map(word), ...offsets.map(word), ...tails]);
}

const tupleArray = (tuples: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([word(tuples.length), tuple([], tuples)]);

const words = (list: readonly Uint8Array[]): Uint8Array => Buffer.concat([word(list.length), ...list]);

const bytes = (data: Uint8Array): Uint8Array => Buffer.concat([word(data.length), bytesWord(data)]);

/** Filled with zeros at its end, to whole words. */
const bytesWord = (data: Uint8Array): Uint8Array => {
  const padded = Buffer.alloc(Math.ceil(data.length / WORD) * WORD);
  padded.set(data);
  return padded;
};
