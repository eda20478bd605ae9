import { LEAF_BYTES, tensorLeaves } from "../commitments/tensor.ts";
import { levelsOf, listRoot } from "../commitments/tree.ts";
import { BYTES, type Program } from "../program.ts";
import type { Recording, Steps } from "../wasm/index.ts";
import { firstNotOne } from "./firstFalse.ts";
import { InnermostBuffer } from "./innermost.ts";
import type { KeptLevels } from "./keptLevels.ts";
import { elementOfPlace, foldAt, foldTensorBytes, leafCount, placeOfElement, stageAt, stepsOf } from "./layout.ts";
import { PieceCache } from "./pieces.ts";
import { isOneTensor } from "./plan.ts";
import type { Position } from "./position.ts";
import type { FoldTensor, Trace } from "./trace.ts";
import { traceOver } from "./tree.ts";

/** Levels of a part of a list from its elements up, and the elements' bytes where they are leaves. */
type Piece = { levels: (readonly Uint8Array[])[]; data: Uint8Array; bytes: number };

type Parts = {
  program: Program;
  T: number;
  recording: Recording;
  /** By stage: its tensor, or a loop's tensors step by step, where they are kept. */
  small: (Uint8Array[] | undefined)[];
  cacheBytes: number;
};

/** A trace that holds upper levels, by stage: the leaves of its tensor, or the steps of a loop. The rest is replayed. */
export function streamedTrace(stages: KeptLevels[], { program, T, recording, small, cacheBytes }: Parts): Trace {
  const cache = new PieceCache<Piece>(cacheBytes);
  const top = levelsOf(stages.map(({ root }) => root));
  const replays = { program, T, recording, small };

  /** The part of a stage's list that has this element, as wide as a node of the lowest level that is kept. */
  const pieceOf = (stage: number, element: number): { piece: Piece; first: number; height: number } => {
    const height = (stages[stage] as KeptLevels).base;
    const first = Math.floor(element / 2 ** height) * 2 ** height;
    const end = first + 2 ** height;
    const piece = cache.get(`${stage} ${first}`, () =>
      isOneTensor(program, stage)
        ? leavesPiece(replays, { stage, first, end })
        : stepsPiece(replays, { stage, first, end }),
    );
    return { piece, first, height };
  };
  /** A tensor of a loop, whole. */
  const tensorPiece = (of: FoldTensor): Piece =>
    cache.get(`${of.stage} ${of.t} ${of.fold}`, () => pieceOfLeaves(oneStep(replays, of)));
  const foldsPiece = (stage: number, t: number): Piece =>
    cache.get(`folds ${stage} ${t}`, () =>
      pieceOfList(foldRoots(replays, { stage, from: t, end: t + 1 })[0] as Uint8Array[]),
    );

  const node = ({ list, stage, t, fold, height, index }: Position): Uint8Array => {
    if (list === "stages") return found(top[height]?.[index]);
    if (list === "folds") return found(foldsPiece(stage, t).levels[height]?.[index]);
    if (list === "leaves" && !isOneTensor(program, stage))
      return found(tensorPiece({ stage, fold, t }).levels[height]?.[index]);
    const kept = stages[stage]?.node(height, index);
    if (kept) return kept;
    const { piece, first } = pieceOf(stage, index * 2 ** height);
    return found(piece.levels[height]?.[index - first / 2 ** height]);
  };
  const leaf = (of: FoldTensor, index: number): Uint8Array => {
    const leaves = leafCount(foldTensorBytes(program, of, T));
    if (!Number.isInteger(index) || index < 0 || index >= leaves)
      throw new RangeError(`There is no leaf ${index} among ${leaves} of stage ${of.stage}.`);
    const { data, first } = isOneTensor(program, of.stage)
      ? { data: pieceOf(of.stage, index).piece.data, first: pieceOf(of.stage, index).first }
      : { data: tensorPiece(of).data, first: 0 };
    return data.slice((index - first) * LEAF_BYTES, (index - first + 1) * LEAF_BYTES);
  };
  const close = () => {
    cache.clear();
    recording.close();
  };
  return traceOver({ node, leaf, firstFalse: firstNotOne(program, T, leaf), close }, { program, T });
}

type Replays = Omit<Parts, "cacheBytes">;

/** Leaves `first .. end - 1` of a stage's one tensor, or as many as there are. */
function leavesPiece(
  { program, T, recording, small }: Replays,
  at: { stage: number; first: number; end: number },
): Piece {
  const { stage } = at;
  const [whole] = small[stage] ?? [];
  if (whole !== undefined) return pieceOfLeaves(whole.subarray(at.first * LEAF_BYTES, at.end * LEAF_BYTES));
  const of = { stage, fold: 0, t: 0 };
  const { type } = foldAt(program, stage, 0);
  const decl = stageAt(program, stage);
  const S = stepsOf(decl, T);
  const start = at.first * LEAF_BYTES;
  const data = new Uint8Array(Math.min(at.end * LEAF_BYTES, foldTensorBytes(program, of, T)) - start);
  const place = (byte: number) => elementOfPlace(program, of, { element: Math.floor(byte / BYTES[type]), T });
  if (decl.order === 1) {
    const rowBytes = S * BYTES[type];
    const from = Math.floor(start / rowBytes);
    const end = Math.ceil((start + data.length) / rowBytes);
    const rows = new InnermostBuffer({ stage, from, end, bytes: (end - from) * rowBytes }, BYTES[type]);
    recording.replay({ stage, from: 0, end: S }, [(step, t) => rows.put(step, t)]);
    data.set(rows.bytes.subarray(start - from * rowBytes, start - from * rowBytes + data.length));
  } else {
    const from = place(start).t;
    const end = place(start + data.length - 1).t + 1;
    const put = (step: Uint8Array, t: number) => {
      const to = placeOfElement(program, { stage, fold: 0, t, r: 0, c: 0 }, T).byte - start;
      const skipped = Math.max(0, -to);
      data.set(step.subarray(skipped, Math.max(skipped, data.length - to)), Math.max(0, to));
    };
    recording.replay({ stage, from, end }, [put]);
  }
  return pieceOfLeaves(data);
}

/** Steps `first .. end - 1` of a loop, or as many as there are. */
function stepsPiece(replays: Replays, { stage, first, end }: { stage: number; first: number; end: number }): Piece {
  const S = stepsOf(stageAt(replays.program, stage), replays.T);
  return pieceOfList(foldRoots(replays, { stage, from: first, end: Math.min(end, S) }).map(listRoot));
}

/** Roots of the tensors of each step of a loop. */
function foldRoots(replays: Replays, of: Steps): (readonly Uint8Array[])[] {
  const roots: (readonly Uint8Array[])[] = Array.from({ length: of.end - of.from }, () => []);
  showLoop(replays, of, (bytes, { fold, t }) => {
    (roots[t - of.from] as Uint8Array[])[fold] = listRoot(tensorLeaves(bytes));
  });
  return roots;
}

/** The elements of one step and fold of a loop. */
function oneStep(replays: Replays, { stage, fold, t }: FoldTensor): Uint8Array {
  let found = new Uint8Array(0);
  showLoop(replays, { stage, from: t, end: t + 1 }, (bytes, at) => {
    if (at.fold === fold) found = bytes.slice();
  });
  return found;
}

function showLoop(
  { program, recording, small }: Replays,
  of: Steps,
  see: (bytes: Uint8Array, at: { fold: number; t: number }) => void,
): void {
  const folds = [...stageAt(program, of.stage).folds.keys()];
  const tensors = small[of.stage];
  if (tensors === undefined)
    recording.replay(
      of,
      folds.map((fold) => (bytes, t) => see(bytes, { fold, t })),
    );
  else
    for (let t = of.from; t < of.end; t++)
      for (const fold of folds) see(tensors[t * folds.length + fold] as Uint8Array, { fold, t });
}

const pieceOfLeaves = (data: Uint8Array): Piece => {
  const levels = levelsOf(tensorLeaves(data));
  return { levels, data, bytes: data.length + nodeBytes(levels) };
};
const pieceOfList = (elements: Uint8Array[]): Piece => {
  const levels = levelsOf(elements);
  return { levels, data: new Uint8Array(0), bytes: nodeBytes(levels) };
};
/** A hash is an object of its own: about four times its 32 bytes. */
const nodeBytes = (levels: (readonly Uint8Array[])[]): number =>
  levels.reduce((sum, { length }) => sum + length * 128, 0);

const found = (node: Uint8Array | undefined): Uint8Array => {
  if (node === undefined) throw new RangeError("The trace has no such node.");
  return node;
};
