import {
  claimedRoot,
  LEAF_BYTES,
  nodeHash,
  programRoot,
  rootOfOpening,
  weightsRoot,
} from "../../src/commitments/index.ts";
import { pathOf } from "../../src/evidence/payeeTree.ts";
import { leafHash } from "../../src/hash.ts";
import {
  BYTES,
  element,
  encodeCode,
  foldTensorBytes,
  type Job,
  leafCount,
  type Operands,
  type Program,
  placeOfElement,
  type Refutation,
  readElement,
  recordsOf,
  sizeAt,
  tensorAt,
  tensorByteLength,
} from "../../src/index.ts";
import { bodyAt } from "../../src/reference/element.ts";

/** A job with its constants, whose roots are what a statement binds. */
export type JudgedJob = Job & { constants: Uint8Array[] };

/**
 * What a referee has to say of evidence about a well-formed program: whether it shows a false element. Written after the
 * rules and slow, as a second opinion beside the contract.
 * @throws where the evidence does not fit together
 */
export function judge(program: Program, job: JudgedJob, traceRoot: Uint8Array, evidence: Refutation): boolean {
  const { target, records, code, openings } = evidence;
  const { T } = job;
  const fold = program.stages[target.stage]?.folds[target.fold];
  if (!fold) throw new Error("bad target");
  checkRecords(program, records);
  same(code, encodeCode(fold), "bad code");

  const leaves = new Map<string, Uint8Array>();
  for (const opening of openings) {
    const { isFold, number, fold: foldNumber, t, first, data } = opening;
    const of = { stage: number, fold: foldNumber, t };
    const decl = isFold ? undefined : tensorAt(program, number);
    if (!isFold && !decl) throw new Error("no such tensor");
    const bytes = isFold ? foldTensorBytes(program, of, T) : tensorByteLength(decl as NonNullable<typeof decl>, T);
    const length = leafCount(data.length);
    const expected = Math.min(length * LEAF_BYTES, bytes - first * LEAF_BYTES);
    if (length < 1 || data.length !== expected) throw new Error("bad length");
    const nodes = Array.from({ length }, (_, i) => leafHash(data.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES)));
    if (isFold) {
      // one range of leaves, then single elements of the lists above
      const path = pathOf(program, { of, first, length, T });
      const own = path.filter(({ list }) => list === "leaves").length;
      let node = rootOfOpening({ count: leafCount(bytes), first, nodes, siblings: opening.siblings.slice(0, own) });
      for (const [i, { index }] of path.slice(own).entries()) {
        const sibling = opening.siblings[own + i];
        if (!node || !sibling) throw new Error("bad opening");
        node = index % 2 === 0 ? nodeHash(sibling, node) : nodeHash(node, sibling);
      }
      if (opening.siblings.length !== path.length) throw new Error("bad opening");
      same(node ?? new Uint8Array(), traceRoot, "bad opening");
    } else {
      const { root, index, count } = listHolding(program, job, number);
      let used = 0;
      for (let size = leafCount(bytes), from = first, to = first + length - 1; size > 1; size = (size + 1) >> 1) {
        used += (from % 2) + (to % 2 === 0 && to + 1 < size ? 1 : 0);
        from >>= 1;
        to >>= 1;
      }
      const { siblings } = opening;
      const tensor = rootOfOpening({ count: leafCount(bytes), first, nodes, siblings: siblings.slice(0, used) });
      const top = tensor && rootOfOpening({ count, first: index, nodes: [tensor], siblings: siblings.slice(used) });
      same(top ?? new Uint8Array(), root, "bad opening");
    }
    for (let i = 0; i < length; i++)
      leaves.set(keyOf(isFold, of, first + i), data.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES));
  }

  const leafAt = (isFold: boolean, of: { stage: number; fold: number; t: number }, leaf: number) => {
    const found = leaves.get(keyOf(isFold, of, leaf));
    if (!found) throw new Error("missing leaf");
    return found;
  };
  const operands: Operands = {
    tensor(tensor, row, col) {
      const decl = tensorAt(program, tensor);
      if (!decl) throw new Error("no such tensor");
      const byte = (row * sizeAt(decl.cols, { t: 0, T }) + col) * BYTES[decl.type];
      const leaf = leafAt(false, { stage: tensor, fold: 0, t: 0 }, Math.floor(byte / LEAF_BYTES));
      return readElement(decl.type, leaf, (byte % LEAF_BYTES) / BYTES[decl.type]);
    },
    fold(at) {
      const type = program.stages[at.stage]?.folds[at.fold]?.type ?? "i64";
      const { of, byte, leaf } = placeOfElement(program, at, T);
      return readElement(type, leafAt(true, of, leaf), (byte % LEAF_BYTES) / BYTES[type]);
    },
  };
  const claimed = operands.fold(target);
  if (target.stage === program.stages.length - 1 && claimed !== 1n) return true;
  if (fold.combine !== "argmax") return element(program, target, { T, operands }) !== claimed;
  const terms = sizeAt(fold.axis, { t: target.t, T });
  if (claimed < 0n || claimed >= BigInt(terms)) return true;
  if (target.j >= terms) throw new Error("bad target");
  const [better, held] = [target.j, Number(claimed)].map((k) => bodyAt(program, { ...target, k }, { T, operands }));
  if (better === undefined || held === undefined) throw new Error("no body");
  return better > held || (better === held && BigInt(target.j) < claimed);
}

function checkRecords(program: Program, records: Refutation["records"]): void {
  const all = recordsOf(program);
  for (const { index, data, path } of records) {
    same(data, all[index] ?? new Uint8Array(), "bad record");
    const root = rootOfOpening({ count: all.length, first: index, nodes: [leafHash(data)], siblings: path });
    same(root ?? new Uint8Array(), programRoot(program), "bad record");
  }
}

function listHolding(program: Program, { request, claimed, constants }: JudgedJob, number: number) {
  let index = number;
  for (const list of [request, claimed]) {
    if (index < list.length) return { root: claimedRoot(list), index, count: list.length };
    index -= list.length;
  }
  return { root: weightsRoot(constants), index, count: program.constants.length };
}

const keyOf = (isFold: boolean, of: { stage: number; fold: number; t: number }, leaf: number) =>
  `${isFold} ${of.stage} ${of.fold} ${of.t} ${leaf}`;

function same(a: Uint8Array, b: Uint8Array, reason: string): void {
  if (a.length !== b.length || a.some((byte, i) => byte !== b[i])) throw new Error(reason);
}
