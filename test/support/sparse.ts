// Jobs of any size of which only what evidence reads exists: its leaves hold bytes drawn from their place, every other
// node of a tree is a hash of its place. So the gas of a model's refutations can be measured without the model.
import { createHash } from "node:crypto";
import {
  BYTES,
  type ElementAt,
  elementBytes,
  encodeHeader,
  type FoldTensor,
  foldsPosition,
  foldTensorBytes,
  heightOf,
  leavesPosition,
  nodesAt,
  type OpenedLeaves,
  type Position,
  type Program,
  placeOfElement,
  positionKey,
  type Refutation,
  refutationOf,
  rootPosition,
  size,
  stepsPosition,
  type TensorCommitment,
  type TensorDecl,
  tensorByteLength,
} from "@foldmark/machine";
import { claimedRoot, LEAF_BYTES, leafHash, nodeHash, programRoot, requestRoot } from "@foldmark/machine/commitments";
import { traceOver } from "../../packages/machine/src/trace/tree.ts";
import type { RefuteCall } from "./refuteCall.ts";

/** Evidence about one element at T; an argmax claims its last index, and is told of its first. */
export function sparseRefutation(program: Program, at: ElementAt, T: number): RefuteCall {
  const fold = program.stages[at.stage]?.folds[at.fold];
  if (!fold) throw new Error("no such fold");
  const isArgmax = fold.combine === "argmax";
  const claimedValue = isArgmax && size.kind(fold.axis) === 0 ? BigInt(size.n(fold.axis) - 1) : 1n;
  const own = placeOfElement(program, at, T);
  const inputs = (decls: readonly TensorDecl[], name: string) =>
    decls.map((decl, i) => drawn(`${name} ${i}`, tensorByteLength(decl, T)));
  const [request, claimed] = [inputs(program.requests, "request"), inputs(program.claimed, "claimed")];

  const leaves = new Map<string, { of: FoldTensor; index: number }>();
  const constantLeaves = new Map<string, { tensor: number; index: number }>();
  for (let known = -1; known !== leaves.size + constantLeaves.size; ) {
    // what is read may depend on what was read: until nothing new is
    known = leaves.size + constantLeaves.size;
    const constants = new SparseTensors(program.constants, [...constantLeaves.values()]);
    const trace = sparseTrace(program, T, [...leaves.values()], {
      at: own,
      bytes: elementBytes(fold.type, [claimedValue]),
    });
    const watched: TensorCommitment = {
      bytes: (tensor) => constants.bytes(tensor),
      open: (tensor, first, length) => {
        for (let i = 0; i < length; i++) constantLeaves.set(`${tensor} ${first + i}`, { tensor, index: first + i });
        return constants.open(tensor, first, length);
      },
    };
    const watchedTrace = {
      ...trace,
      open: (of: FoldTensor, first: number, length: number) => {
        for (let i = 0; i < length; i++)
          leaves.set([of.stage, of.fold, of.t, first + i].join(" "), { of, index: first + i });
        return trace.open(of, first, length);
      },
    };
    const evidence: Refutation = refutationOf(
      program,
      { T, request, claimed, constants: watched },
      { ...at, j: 0 },
      { trace: watchedTrace },
    );
    if (known === leaves.size + constantLeaves.size)
      return {
        statement: {
          header: encodeHeader(program),
          programRoot: programRoot(program),
          weightsRoot: constants.root,
          requestRoot: requestRoot(request),
          T,
          claimedRoot: claimedRoot(claimed),
        },
        traceRoot: trace.root,
        evidence,
      };
  }
  throw new Error("What is read does not settle.");
}

function sparseTrace(
  program: Program,
  T: number,
  opened: readonly { of: FoldTensor; index: number }[],
  own: { at: { of: FoldTensor; byte: number }; bytes: Uint8Array },
) {
  const leaf = (of: FoldTensor, index: number): Uint8Array => {
    const length = Math.min(LEAF_BYTES, foldTensorBytes(program, of, T) - index * LEAF_BYTES);
    const bytes = drawn(`leaf ${of.stage} ${of.fold} ${of.t} ${index}`, length);
    const { of: tensor, byte } = own.at;
    const isOwn = tensor.stage === of.stage && tensor.fold === of.fold && tensor.t === of.t;
    if (isOwn && Math.floor(byte / LEAF_BYTES) === index) bytes.set(own.bytes, byte % LEAF_BYTES);
    return bytes;
  };
  const covers = ({ list, height, index, stage, t, fold }: Position) =>
    opened.some(({ of, index: leafIndex }) => {
      const path = { stages: [of.stage], steps: [of.t, of.stage], folds: [of.fold, of.stage, of.t] };
      const [element, ...holders] = list === "leaves" ? [leafIndex, of.stage, of.t, of.fold] : path[list];
      const own =
        list === "leaves" ? [stage, t, fold] : list === "folds" ? [stage, t] : list === "steps" ? [stage] : [];
      return Math.floor((element ?? 0) / 2 ** height) === index && holders.every((each, i) => each === own[i]);
    });
  const node = (at: Position): Uint8Array => {
    if (!covers(at)) return hashOfPlace(positionKey(at));
    const { list, height, index, stage, t, fold } = at;
    if (height > 0) return ofChildren(at.length, height, index, (i) => node({ ...at, height: height - 1, index: i }));
    if (list === "leaves") return leafHash(leaf({ stage, t, fold }, index));
    if (list === "folds") return node(leavesPosition(program, { stage, fold: index, t }, T));
    if (list === "steps") return node(foldsPosition(program, stage, index));
    const isLoop = program.stages[index]?.order === 2;
    return node(
      isLoop ? stepsPosition(program, index, T) : leavesPosition(program, { stage: index, fold: 0, t: 0 }, T),
    );
  };
  return {
    ...traceOver({ node, leaf, firstFalse: undefined, close() {} }, { program, T }),
    T,
    root: node(rootPosition(program)),
  };
}

class SparseTensors {
  readonly #decls: readonly TensorDecl[];
  readonly #opened: readonly { tensor: number; index: number }[];

  constructor(decls: readonly TensorDecl[], opened: readonly { tensor: number; index: number }[]) {
    this.#decls = decls;
    this.#opened = opened;
  }

  get root(): Uint8Array {
    return this.#listed(heightOf(this.#decls.length), 0);
  }

  bytes(tensor: number): Uint8Array {
    const bytes = new Uint8Array(this.#length(tensor));
    for (const { tensor: of, index } of this.#opened)
      if (of === tensor) bytes.set(this.#leaf(tensor, index), index * LEAF_BYTES);
    return bytes;
  }

  open(tensor: number, first: number, length: number): OpenedLeaves {
    const leaves = Array.from({ length }, (_, i) => this.#leaf(tensor, first + i));
    const count = Math.ceil(this.#length(tensor) / LEAF_BYTES);
    return {
      data: Buffer.concat(leaves),
      siblings: [
        ...siblings(count, first, length, (height, index) => this.#node(tensor, height, index)),
        ...siblings(this.#decls.length, tensor, 1, (height, index) => this.#listed(height, index)),
      ],
    };
  }

  #length(tensor: number): number {
    const decl = this.#decls[tensor];
    return decl ? size.n(decl.rows) * size.n(decl.cols) * BYTES[decl.type] : 0;
  }

  #leaf(tensor: number, index: number): Uint8Array {
    return drawn(`constant ${tensor} ${index}`, Math.min(LEAF_BYTES, this.#length(tensor) - index * LEAF_BYTES));
  }

  #node(tensor: number, height: number, index: number): Uint8Array {
    const covers = this.#opened.some(
      (each) => each.tensor === tensor && Math.floor(each.index / 2 ** height) === index,
    );
    if (!covers) return hashOfPlace(`constant ${tensor} ${height} ${index}`);
    if (height === 0) return leafHash(this.#leaf(tensor, index));
    const count = Math.ceil(this.#length(tensor) / LEAF_BYTES);
    return ofChildren(count, height, index, (i) => this.#node(tensor, height - 1, i));
  }

  #listed(height: number, index: number): Uint8Array {
    if (height > 0) return ofChildren(this.#decls.length, height, index, (i) => this.#listed(height - 1, i));
    return this.#node(index, heightOf(Math.ceil(this.#length(index) / LEAF_BYTES)), 0);
  }
}

function ofChildren(count: number, height: number, index: number, child: (index: number) => Uint8Array): Uint8Array {
  const left = child(2 * index);
  return 2 * index + 1 < nodesAt(count, height - 1) ? nodeHash(left, child(2 * index + 1)) : left;
}

function siblings(
  count: number,
  first: number,
  length: number,
  node: (height: number, index: number) => Uint8Array,
): Uint8Array[] {
  const found: Uint8Array[] = [];
  let [from, to] = [first, first + length - 1];
  for (let height = 0; nodesAt(count, height) > 1; height++) {
    if (from % 2 === 1) found.push(node(height, from - 1));
    if (to % 2 === 0 && to + 1 < nodesAt(count, height)) found.push(node(height, to + 1));
    from >>= 1;
    to >>= 1;
  }
  return found;
}

const hashOfPlace = (place: string): Buffer => createHash("sha256").update(place).digest();

/** Bytes without zeros, which would be cheaper than others. */
function drawn(place: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = hashOfPlace(place).readUInt32LE();
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24 || 1;
  }
  return bytes;
}
