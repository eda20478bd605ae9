import { ByteReader, ByteWriter } from "./bytes.ts";
import { areWithin } from "./elements.ts";
import { encodeProgram } from "./encode.ts";
import type { ConstantSource, TensorBytes } from "./engine.ts";
import { MachineError } from "./errors.ts";
import { sha256 } from "./hash.ts";
import type { Interval } from "./intervals.ts";
import { tensorByteLength } from "./job.ts";
import { BYTES, type Fold, type Program, sizeAt } from "./program.ts";
import { claimedBeforeLast } from "./validate/inputUse.ts";
import { foldNumbers, type SessionNeeds } from "./validate/keeping.ts";

/** Elements of the steps `from .. end - 1` of a fold, `[t][r][c]`, or `[r][c][t]` where time is innermost (order 1). */
export type KeptSteps = { fold: number; from: number; end: number; bytes: Uint8Array };

/** A session at rest. */
export type SessionState = {
  steps: number;
  request: TensorBytes[];
  /** The columns of the claimed tensors that it was given; empty where none are. */
  claimed: TensorBytes[];
  /** Of folds that only the last stage needs, by number: a byte for each step that is 1 where it was computed. */
  computed: Map<number, Uint8Array>;
};

export type SnapshotFormat = {
  /** `fill` writes what the session keeps of some steps of a fold. */
  write(state: SessionState, fill: (kept: KeptSteps) => void): Uint8Array;
  /** @throws `machine.bad_snapshot`, `machine.snapshot_mismatch` */
  read(snapshot: Uint8Array): SessionState & { kept: KeptSteps[] };
};

/**
 * Snapshots of sessions, the same for every back end. Magic, u32 version, identity (32 bytes), u32 steps, request tensors,
 * given columns, a byte a step for each fold whose computed steps are recorded, kept elements by fold; SHA-256 of all that.
 * Every length follows from the program and the steps.
 */
export function snapshotFormat(
  program: Program,
  {
    needs,
    identity,
    rangeOf,
  }: { needs: SessionNeeds; identity: () => Uint8Array; rangeOf: (fold: number) => Interval },
): SnapshotFormat {
  const { stageOf } = foldNumbers(program);
  const folds = program.stages.flatMap((stage) => stage.folds);
  const isGiven = claimedBeforeLast(program);
  const isRecorded = (fold: number) => needs.keeping[fold] === "every" && !needs.always[fold];
  const recorded = folds.flatMap((_, fold) => (isRecorded(fold) ? [fold] : []));

  const keptOf = (steps: number, computed: SessionState["computed"]): Omit<KeptSteps, "bytes">[] =>
    folds.flatMap((_, fold) => {
      if (steps === 0) return [];
      if (needs.keeping[fold] === "before") return [{ fold, from: steps - 1, end: steps }];
      if (needs.keeping[fold] !== "every") return [];
      const flags = computed.get(fold);
      return flags === undefined ? [{ fold, from: 0, end: steps }] : runsOfOnes(flags).map((run) => ({ fold, ...run }));
    });
  const byteLength = ({ fold, from, end }: Omit<KeptSteps, "bytes">): number => {
    const { rows, cols, type } = folds[fold] as Fold;
    let elements = 0;
    for (let t = from; t < end; t++) elements += sizeAt(rows, { t, T: 1 }) * sizeAt(cols, { t, T: 1 });
    return elements * BYTES[type];
  };

  return {
    write: ({ steps, request, claimed, computed }, fill) => {
      const head = new ByteWriter().bytes(MAGIC).u32(VERSION).bytes(identity()).u32(steps);
      for (const bytes of [...request, ...claimed]) head.bytes(bytes);
      for (const fold of recorded) head.bytes(computed.get(fold) as Uint8Array);
      const start = head.done();
      const kept = keptOf(steps, computed);
      const total = kept.reduce((sum, section) => sum + byteLength(section), start.length);
      const snapshot = new Uint8Array(total + HASH_BYTES);
      snapshot.set(start);
      let at = start.length;
      for (const section of kept) {
        const end = at + byteLength(section);
        fill({ ...section, bytes: snapshot.subarray(at, end) });
        at = end;
      }
      snapshot.set(sha256(snapshot.subarray(0, total)), total);
      return snapshot;
    },
    read: (snapshot) => {
      const body = snapshot.subarray(0, Math.max(0, snapshot.length - HASH_BYTES));
      const reader = new ByteReader(body, (offset, wanted) =>
        bad(`it ends at byte ${offset}, ${wanted} more are wanted`),
      );
      if (!equal(reader.bytes(MAGIC.length), MAGIC)) throw bad("it does not start like one");
      const version = reader.u32();
      if (version !== VERSION) throw bad(`it has version ${version}, this engine reads ${VERSION}`);
      if (!equal(sha256(body), snapshot.subarray(body.length))) throw bad("its hash is wrong: it is damaged");
      if (!equal(reader.bytes(HASH_BYTES), identity()))
        throw new MachineError("machine.snapshot_mismatch", "The snapshot is of another program or other constants.");
      const steps = reader.u32();
      if (steps > program.maxT) throw bad(`it has taken ${steps} steps, maxT is ${program.maxT}`);
      const request = program.requests.map((decl) => reader.bytes(tensorByteLength(decl, 1)));
      const claimed = program.claimed.map(({ type }, i) => reader.bytes(isGiven[i] ? steps * BYTES[type] : 0));
      const computed = new Map(recorded.map((fold) => [fold, reader.bytes(steps)] as const));
      for (const [fold, flags] of computed)
        if (flags.some((flag) => flag > 1)) throw bad(`the steps of fold ${fold} are not told by 0 and 1`);
      const kept = keptOf(steps, computed).map((section) => {
        const bytes = reader.bytes(byteLength(section));
        const { type } = folds[section.fold] as Fold;
        if (!areWithin(type, bytes, rangeOf(section.fold)))
          throw bad(`stage ${stageOf[section.fold]} cannot have computed what it has of it`);
        return { ...section, bytes };
      });
      if (reader.left > 0) throw bad(`${reader.left} bytes are left over`);
      return { steps, request, claimed, computed, kept };
    },
  };
}

/**
 * Says which program and constants an engine has, once they are loaded. Of a constant the first bytes are taken: it tells
 * models apart that share a program, and does not take the time to hash all weights.
 */
export function watchConstants(
  program: Program,
  source: ConstantSource,
): { source: ConstantSource; identity: () => Uint8Array } {
  const starts: Uint8Array[] = [];
  let known: Uint8Array | undefined;
  return {
    source: (index, into) => {
      const bytes = source(index, into);
      starts[index] = sha256(bytes.slice(0, WATCHED_BYTES));
      return bytes;
    },
    identity: () => {
      if (known === undefined) {
        const all = new ByteWriter().bytes(encodeProgram(program));
        for (const start of starts) all.bytes(start);
        known = sha256(all.done());
      }
      return known;
    },
  };
}

const MAGIC = new TextEncoder().encode("FMSN");
const VERSION = 1;
const HASH_BYTES = 32;
const WATCHED_BYTES = 1_024;

const bad = (reason: string) => new MachineError("machine.bad_snapshot", `This is no snapshot: ${reason}.`, { reason });

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

function runsOfOnes(flags: Uint8Array): { from: number; end: number }[] {
  const runs: { from: number; end: number }[] = [];
  for (let from = flags.indexOf(1); from >= 0; from = flags.indexOf(1, runs.at(-1)?.end)) {
    const zero = flags.indexOf(0, from);
    runs.push({ from, end: zero < 0 ? flags.length : zero });
  }
  return runs;
}
