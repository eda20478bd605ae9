// contracts/mocks/TinyTrace.t.sol again, as far as one game goes: down stage 1 to its first leaf.
import { leafHash, listRoot, openRange, parents } from "@foldmark/machine/commitments";
import { concat, type Hex, hexToBytes, keccak256, numberToHex, sha256, toHex } from "viem";

const T = 3;
const TENSORS = 3;
const CODE = hexToBytes(sha256("0x636f6465"));
const STEPS = [0x01, 0, 0, 0x40]; // T

const RECORDS = [
  ...Array.from({ length: TENSORS }, () => Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0, 0)),
  Uint8Array.of(2, ...STEPS, 3, 1, 0, 0, 0, 0xc8, 0, 0, 0, ...CODE, 0, 1, 0, 0, 0, 0, 0, 0, 0x80, ...CODE),
  Uint8Array.of(1, ...STEPS, 2, 5, 0, 0, 0, 0x0d, 2, 0, 0, ...CODE),
  Uint8Array.of(0, ...STEPS, 0, 1, 0, 0, 0, 1, 0, 0, 0, ...CODE),
];
const RECORD_NODES = RECORDS.map(leafHash);
const LEAVES = Array.from({ length: 31 }, (_, i) => new Uint8Array(i < 30 ? 1024 : 780).fill(i));
const LEAF_NODES = LEAVES.map(leafHash);
const STAGES = [1, 2, 3].map((stage) => (stage === 2 ? listRoot(LEAF_NODES) : new Uint8Array(32).fill(stage)));

/** A statement that is false because T is above its maximum, so that a game about it can be ended at any point. */
export const lie = {
  header: "0x0100010001000100030002000000" as Hex,
  programRoot: toHex(listRoot(RECORD_NODES)),
  weightsRoot: keccak256("0x77"),
  requestRoot: keccak256("0x72"),
  T,
  claimedRoot: keccak256("0x63"),
};

export const statementId: Hex = sha256(
  concat([
    "0x04",
    sha256(concat(["0x03", sha256(concat(["0x02", lie.header, lie.programRoot, lie.weightsRoot])), lie.requestRoot])),
    numberToHex(T, { size: 1 }),
    "0x000000",
    lie.claimedRoot,
  ]),
);

export const traceRoot: Hex = toHex(listRoot(STAGES));
const noRecord = { index: 0, data: "0x" as Hex, path: [] as Hex[] };
const hexes = (nodes: readonly Uint8Array[]): Hex[] => nodes.map((node) => toHex(node));
const path = (list: readonly Uint8Array[], index: number): Hex[] => hexes(openRange(list, index).siblings);
const oneUp = parents(LEAF_NODES);

/** The moves of the game, in order. */
export const moves = {
  askRoot: { child: 0, node: traceRoot, path: [] as Hex[], record: noRecord },
  stages: hexes(STAGES),
  askStage: {
    child: 1,
    node: toHex(listRoot(LEAF_NODES)),
    path: path(STAGES, 1),
    record: { index: TENSORS + 1, data: toHex(RECORDS[TENSORS + 1] ?? CODE), path: path(RECORD_NODES, TENSORS + 1) },
  },
  nodes: hexes(oneUp),
  askNode: { child: 0, node: toHex(oneUp[0] ?? CODE), path: path(oneUp, 0), record: noRecord },
  pair: hexes(LEAF_NODES.slice(0, 2)),
  askLeaf: { child: 0, node: toHex(LEAF_NODES[0] ?? CODE), path: hexes(LEAF_NODES.slice(1, 2)), record: noRecord },
  leaf: toHex(LEAVES[0] ?? CODE),
};
