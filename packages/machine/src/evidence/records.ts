import { recordsOf } from "../encode.ts";
import { leafHash } from "../hash.ts";
import { type Program, tensorsOf } from "../program.ts";
import { expressionsOf } from "../validate/wellFormed.ts";
import { HashTree } from "./hashTree.ts";
import type { OpenedRecord } from "./refutation.ts";

/** The records of a program, each of which can be opened under its root. */
export class RecordTree {
  readonly #records: readonly Uint8Array[];
  readonly #tree: HashTree;

  constructor(records: readonly Uint8Array[]) {
    this.#records = records;
    this.#tree = new HashTree(records.map(leafHash));
  }

  get root(): Uint8Array {
    return this.#tree.root;
  }

  open(index: number): OpenedRecord {
    const data = this.#records[index];
    if (!data) throw new RangeError(`There is no record ${index} of ${this.#records.length}.`);
    return { index, data, path: this.#tree.siblings(index) };
  }
}

const trees = new WeakMap<Program, RecordTree>();

/** The records of a fold's stage and of every tensor and stage that its code loads. */
export function openRecords(program: Program, { stage, fold }: { stage: number; fold: number }): OpenedRecord[] {
  const known = trees.get(program) ?? new RecordTree(recordsOf(program));
  trees.set(program, known);
  const stages = tensorsOf(program).length;
  const { body, finish } = expressionsOf(program, stage, fold);
  const loaded = [...body.loads, ...(finish?.loads ?? [])].flatMap((load) => {
    if (load.op === "tensor") return [load.tensor];
    return load.op === "fold" ? [stages + load.stage] : [];
  });
  return [...new Set([stages + stage, ...loaded])].map((index) => known.open(index));
}
