// What a dishonest challenger may do to evidence about an honest trace.
import type { OpenedRecord, OpenedTensor, Refutation, Target } from "@foldmark/machine";
import type { Draws } from "./deep.ts";

/** Evidence to start from, and more of the same and of other programs to take pieces of. */
export type Material = {
  evidence: Refutation;
  others: readonly Refutation[];
  foreign: readonly Refutation[];
  draws: Draws;
};

export type Attack = { attack: string; on: (material: Material) => Refutation };

const LEAF_BYTES = 1_024;

/** Every attack changes something, or leaves evidence that holds as it is. */
export const attacks: readonly Attack[] = [
  ...openingAttacks({
    "forges a byte of a leaf": ({ opening, draws }) => ({ ...opening, data: flipped(opening.data, draws) }),
    "forges a number in a leaf": ({ opening, draws }) => {
      const data = Uint8Array.from(opening.data);
      const width = draws.pick([1, 2, 4, 8]);
      const at = draws.below(Math.max(1, Math.floor(data.length / width))) * width;
      data.fill(draws.pick([0, 1, 0x7f, 0x80, 0xff]), at, at + width);
      return { ...opening, data };
    },
    "forges a sibling": ({ opening, draws }) => ({ ...opening, siblings: changedPath(opening.siblings, draws) }),
    "cuts a leaf short": ({ opening, draws }) => ({
      ...opening,
      data: opening.data.subarray(0, draws.below(opening.data.length)),
    }),
    "makes a leaf longer": ({ opening, draws }) => ({
      ...opening,
      data: Buffer.concat([opening.data, new Uint8Array(draws.pick([1, 8, LEAF_BYTES, LEAF_BYTES - 1]))]),
    }),
    "fills a short leaf up": ({ opening }) => ({
      ...opening,
      data: Buffer.concat([
        opening.data,
        new Uint8Array(LEAF_BYTES - (opening.data.length % LEAF_BYTES || LEAF_BYTES)),
      ]),
    }),
    "shows no bytes": ({ opening }) => ({ ...opening, data: new Uint8Array() }),
    "shows two nodes for a leaf": ({ opening, draws }) => {
      const [left = new Uint8Array(32), right = left] = opening.siblings;
      const data = Buffer.concat(
        draws.pick([
          [left, right],
          [right, left],
          [Uint8Array.from([1]), left, right],
        ]),
      );
      return { ...opening, data, siblings: opening.siblings.slice(draws.below(3)) };
    },
    "moves a leaf": ({ opening, draws }) => ({
      ...opening,
      first: Math.max(0, opening.first + draws.pick([-1, 1, 2, 2 ** 20, 2 ** 32 - 1 - opening.first])),
    }),
    "names another step": ({ opening, draws }) => ({
      ...opening,
      t: Math.max(0, opening.t + draws.pick([-1, 1, 2, 2 ** 32 - 1 - opening.t])),
    }),
    "names another fold": ({ opening, draws }) => ({
      ...opening,
      fold: (opening.fold + draws.pick([1, 2, 255])) % 256,
    }),
    "names another tensor": ({ opening, draws }) => ({
      ...opening,
      number: (opening.number + draws.pick([1, 2, 65_535, 65_534])) % 65_536,
    }),
    "takes a fold for a tensor": ({ opening }) => ({ ...opening, isFold: !opening.isFold }),
    "shows what lies elsewhere": ({ opening, draws, others }) => {
      const other = draws.pick(draws.pick(others).openings);
      return { ...opening, data: other.data };
    },
    "shows what lies elsewhere with its path": ({ opening, draws, others }) => {
      const other = draws.pick(draws.pick(others).openings);
      return { ...opening, data: other.data, siblings: other.siblings };
    },
    "shows a leaf of another program": ({ opening, draws, foreign }) => {
      const other = draws.pick(draws.pick(foreign).openings);
      return { ...opening, data: other.data, siblings: other.siblings };
    },
    "shows a part of a range": ({ opening, draws }) => ({
      ...opening,
      data: opening.data.subarray(0, LEAF_BYTES * draws.below(Math.ceil(opening.data.length / LEAF_BYTES))),
    }),
  }),
  {
    attack: "leaves an opening out",
    on: ({ evidence, draws }) => ({ ...evidence, openings: without(evidence.openings, draws) }),
  },
  {
    attack: "repeats an opening",
    on: ({ evidence, draws }) => ({ ...evidence, openings: [...evidence.openings, draws.pick(evidence.openings)] }),
  },
  {
    attack: "repeats an opening with other bytes",
    on: ({ evidence, draws }) => {
      const repeated = draws.pick(evidence.openings);
      const forged = { ...repeated, data: flipped(repeated.data, draws) };
      return {
        ...evidence,
        openings: draws.pick([
          [forged, ...evidence.openings],
          [...evidence.openings, forged],
        ]),
      };
    },
  },
  {
    attack: "shows openings in another order",
    on: ({ evidence, draws }) => ({ ...evidence, openings: shuffled(evidence.openings, draws) }),
  },
  {
    attack: "exchanges the bytes of two openings",
    on: ({ evidence, draws }) => {
      const openings = [...evidence.openings];
      const [a, b] = [draws.below(openings.length), draws.below(openings.length)];
      const [first, second] = [openings[a], openings[b]];
      if (first && second) {
        openings[a] = { ...first, data: second.data };
        openings[b] = { ...second, data: first.data };
      }
      return { ...evidence, openings };
    },
  },
  {
    attack: "adds openings of another element",
    on: ({ evidence, draws, others }) => ({
      ...evidence,
      openings: [...draws.pick(others).openings, ...evidence.openings],
    }),
  },
  ...recordAttacks({
    "forges a byte of a record": ({ record, draws }) => ({ ...record, data: flipped(record.data, draws) }),
    "forges a record's path": ({ record, draws }) => ({ ...record, path: changedPath(record.path, draws) }),
    "gives a record another index": ({ record, draws }) => ({
      ...record,
      index: draws.pick([record.index + 1, Math.max(0, record.index - 1), (record.index ^ 2) >>> 0, 2 ** 32 - 1]),
    }),
    "shows another record with its path": ({ record, draws, others }) => {
      const other = draws.pick(draws.pick(others).records);
      return { ...other, index: record.index };
    },
    "shows a record of another program": ({ record, draws, foreign }) => {
      const other = draws.pick(draws.pick(foreign).records);
      return { ...other, index: draws.pick([record.index, other.index]) };
    },
    "cuts a record short": ({ record, draws }) => ({
      ...record,
      data: record.data.subarray(0, draws.below(record.data.length)),
    }),
    "makes a record longer": ({ record, draws }) => ({
      ...record,
      data: Buffer.concat([record.data, new Uint8Array(draws.pick([1, 41]))]),
    }),
  }),
  {
    attack: "leaves a record out",
    on: ({ evidence, draws }) => ({ ...evidence, records: without(evidence.records, draws) }),
  },
  {
    attack: "exchanges two records",
    on: ({ evidence, draws }) => {
      const records = [...evidence.records];
      const [a, b] = [draws.below(records.length), draws.below(records.length)];
      const [first, second] = [records[a], records[b]];
      if (first && second) {
        records[a] = { ...first, index: second.index };
        records[b] = { ...second, index: first.index };
      }
      return { ...evidence, records };
    },
  },
  {
    attack: "shows records in another order, and more than are needed",
    on: ({ evidence, draws, others }) => ({
      ...evidence,
      records: shuffled([...evidence.records, ...draws.pick(others).records], draws),
    }),
  },
  {
    attack: "forges a byte of the code",
    on: ({ evidence, draws }) => ({ ...evidence, code: flipped(evidence.code, draws) }),
  },
  {
    attack: "shows the code of another fold",
    on: ({ evidence, draws, others }) => ({ ...evidence, code: draws.pick(others).code }),
  },
  {
    attack: "shows the code of another program",
    on: ({ evidence, draws, foreign }) => ({ ...evidence, code: draws.pick(foreign).code }),
  },
  {
    attack: "shows no code, or too much",
    on: ({ evidence, draws }) => ({
      ...evidence,
      code: draws.pick([new Uint8Array(), Buffer.concat([evidence.code, new Uint8Array([1])]), new Uint8Array(1_025)]),
    }),
  },
  ...targetAttacks({
    "means an element that does not exist": (target, draws) => ({
      ...target,
      [draws.pick(["t", "r", "c"] as const)]: draws.pick([2 ** 32 - 1, 2 ** 31, 1_000_000, 4_097]),
    }),
    "means a neighbour": (target, draws) => {
      const part = draws.pick(["t", "r", "c"] as const);
      return { ...target, [part]: Math.max(0, target[part] + draws.pick([-1, 1])) };
    },
    "means another stage": (target, draws) => ({
      ...target,
      stage: draws.pick([Math.max(0, target.stage - 1), target.stage + 1, 65_535]),
    }),
    "means another fold": (target, draws) => ({ ...target, fold: draws.pick([0, 1, 2, 16, 255]) }),
    "holds another index against an argmax": (target, draws) => ({
      ...target,
      j: draws.pick([0, 1, 2, 5, 2 ** 31, 2 ** 32 - 1]),
    }),
  }),
  {
    attack: "means the element of other evidence",
    on: ({ evidence, draws, others }) => ({ ...evidence, target: draws.pick(others).target }),
  },
  {
    attack: "shows nothing",
    on: ({ evidence, draws }) => ({
      ...evidence,
      ...draws.pick([
        { records: [] },
        { openings: [] },
        { records: [], openings: [] },
        { records: [], openings: [], code: new Uint8Array() },
      ]),
    }),
  },
];

type Of<Name extends string, Part> = Material & Record<Name, Part>;

function openingAttacks(of: Record<string, (material: Of<"opening", OpenedTensor>) => OpenedTensor>): Attack[] {
  return Object.entries(of).map(([attack, change]) => ({
    attack,
    on: (material) => {
      const openings = [...material.evidence.openings];
      const at = material.draws.below(openings.length);
      const opening = openings[at];
      if (opening) openings[at] = change({ ...material, opening });
      return { ...material.evidence, openings };
    },
  }));
}

function recordAttacks(of: Record<string, (material: Of<"record", OpenedRecord>) => OpenedRecord>): Attack[] {
  return Object.entries(of).map(([attack, change]) => ({
    attack,
    on: (material) => {
      const records = [...material.evidence.records];
      const at = material.draws.below(records.length);
      const record = records[at];
      if (record) records[at] = change({ ...material, record });
      return { ...material.evidence, records };
    },
  }));
}

function targetAttacks(of: Record<string, (target: Target, draws: Draws) => Target>): Attack[] {
  return Object.entries(of).map(([attack, change]) => ({
    attack,
    on: ({ evidence, draws }) => ({ ...evidence, target: change(evidence.target, draws) }),
  }));
}

function flipped(bytes: Uint8Array, draws: Draws): Uint8Array {
  const changed = Uint8Array.from(bytes);
  const at = draws.below(changed.length);
  if (changed.length > 0) changed[at] = (changed[at] ?? 0) ^ (1 << draws.below(8));
  return changed;
}

function changedPath(path: readonly Uint8Array[], draws: Draws): Uint8Array[] {
  const at = draws.below(path.length);
  switch (draws.below(5)) {
    case 0:
      return path.filter((_, i) => i !== at);
    case 1:
      return [...path, path[at] ?? new Uint8Array(32)];
    case 2:
      return [path[at] ?? new Uint8Array(32), ...path];
    case 3:
      return shuffled(path, draws);
    default:
      return path.map((node, i) => (i === at ? flipped(node, draws) : node));
  }
}

const without = <T>(list: readonly T[], draws: Draws): T[] => {
  const at = draws.below(list.length);
  return list.filter((_, i) => i !== at);
};

function shuffled<T>(list: readonly T[], draws: Draws): T[] {
  return list
    .map((each) => ({ each, by: draws.below(2 ** 30) }))
    .sort((a, b) => a.by - b.by)
    .map(({ each }) => each);
}
