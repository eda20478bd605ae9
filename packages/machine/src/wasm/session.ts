import type { Session, TensorBytes } from "../engine.ts";
import { tensorByteLength } from "../job.ts";
import { BYTES, type Program, size } from "../program.ts";
import type { KeptSteps, SessionState } from "../snapshot.ts";
import type { Scene } from "./evaluate.ts";
import type { Folds, SessionFolds, Storage } from "./folds.ts";
import { forEachRun } from "./keptRuns.ts";
import { type Arena, blockBytes } from "./memory.ts";
import { type Place, placeAt, type Shape, shapeOf, stepStart } from "./places.ts";
import type { FoldCode } from "./sites.ts";

export type SessionParts = { program: Program; arena: Arena; folds: Folds; storage: SessionFolds; isGiven: boolean[] };

/** Steps that a new session has room for; from there it doubles. */
const FIRST_CAPACITY = 64;

/** What one session keeps: its request, the folds that other steps load, and the claimed columns it was given. */
export class WasmSession implements Session {
  readonly request: TensorBytes[];
  readonly scene: Scene;
  readonly #parts: SessionParts;
  readonly #blocks: number[] = [];
  #kept: { base: number; capacity: number } | undefined;
  steps = 0;
  isClosed = false;

  /** Has room for `reserveSteps` steps. @throws `machine.out_of_memory` */
  constructor(parts: SessionParts, request: TensorBytes[], reserveSteps: number) {
    const { program, arena, folds, storage } = parts;
    this.#parts = parts;
    this.request = request.map((bytes) => bytes.slice());
    this.scene = { T: 1, places: folds.codes.map(() => undefined), tensors: [] };
    try {
      for (const [index, decl] of program.requests.entries()) {
        const base = this.#block(request[index]?.length ?? 0);
        arena.bytes.set(request[index] as Uint8Array, base);
        this.scene.tensors.push({ base, rowStride: size.n(decl.cols) * BYTES[decl.type] });
      }
      for (const decl of program.claimed) this.scene.tensors.push({ base: 0, rowStride: BYTES[decl.type] });
      for (const [id, code] of folds.codes.entries()) {
        if (storage.storage[id]?.kind !== "whole") continue;
        const shape = wholeShape(code);
        this.scene.places[id] = placeAt(this.#block(shape.bytes), shape);
      }
      this.#room(reserveSteps === 0 ? Math.min(FIRST_CAPACITY, program.maxT) : roomOf(reserveSteps, program));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Steps that there is room for. */
  get capacity(): number {
    return this.#kept?.capacity ?? 0;
  }

  get arena(): Arena {
    return this.#parts.arena;
  }

  /** Makes room for so many steps in all. @throws `machine.out_of_memory` and changes nothing then */
  reserve(steps: number): void {
    if (this.capacity >= steps) return;
    let capacity = FIRST_CAPACITY;
    while (capacity < steps) capacity *= 2;
    this.#room(Math.min(capacity, this.#parts.program.maxT));
  }

  #room(capacity: number): void {
    const { arena, folds } = this.#parts;
    const old = this.#kept;
    const layout = keptLayout(this.#parts, capacity);
    const base = arena.allocateZeroed(layout.bytes);
    const steps = { from: 0, end: this.steps };
    for (const { fold, place } of layout.folds) {
      const moved = { ...place, base: place.base + base, presence: place.presence === 0 ? 0 : place.presence + base };
      const before = this.scene.places[fold];
      if (before !== undefined) copyKept(arena, folds.codes[fold] as FoldCode, [before, moved], steps);
      this.scene.places[fold] = moved;
    }
    for (const { tensor, offset, bytes } of layout.claimed) {
      const from = this.scene.tensors[tensor]?.base ?? 0;
      if (old !== undefined) arena.bytes.copyWithin(base + offset, from, from + this.steps * bytes);
      this.scene.tensors[tensor] = { base: base + offset, rowStride: 0 };
    }
    if (old !== undefined) arena.free(old.base);
    this.#kept = { base, capacity };
  }

  /** Takes the next columns of the claimed tensors. Room for them must be reserved. */
  give(claimed: TensorBytes[]): void {
    const { program, arena, isGiven } = this.#parts;
    for (const [index, { type }] of program.claimed.entries())
      if (isGiven[index]) {
        const base = this.scene.tensors[program.requests.length + index]?.base as number;
        arena.bytes.set(claimed[index] as Uint8Array, base + this.steps * BYTES[type]);
      }
  }

  /** The claimed columns that were given for the first steps, as bytes; empty where none are. */
  given(steps = this.steps): TensorBytes[] {
    const { program, arena, isGiven } = this.#parts;
    return program.claimed.map(({ type }, index) => {
      const base = this.scene.tensors[program.requests.length + index]?.base as number;
      return isGiven[index] ? arena.bytes.slice(base, base + steps * BYTES[type]) : new Uint8Array(0);
    });
  }

  /** Takes over the first `steps` steps of another session; of the folds `without` as if they had not been computed. */
  copy(from: WasmSession, steps: number, without: readonly number[]): void {
    const { arena, folds, storage } = this.#parts;
    for (const [id, code] of folds.codes.entries()) {
      const [source, target] = [from.scene.places[id], this.scene.places[id]];
      if (source === undefined || target === undefined) continue;
      const { kind } = storage.storage[id] as Storage;
      if (kind === "whole") arena.bytes.copyWithin(target.base, source.base, source.base + wholeShape(code).bytes);
      else if (steps > 0)
        copyKept(arena, code, [source, target], { from: kind === "ring" ? steps - 1 : 0, end: steps });
    }
    for (const id of without) {
      const { presence } = this.scene.places[id] as Place;
      arena.bytes.fill(0, presence, presence + steps);
    }
    this.give(from.given(steps));
    this.steps = steps;
  }

  /** What it is without the elements that it keeps. */
  state(): SessionState {
    const { arena, storage } = this.#parts;
    const computed = new Map<number, Uint8Array>();
    for (const [id, place] of this.scene.places.entries())
      if (place !== undefined && place.presence !== 0 && !storage.always[id])
        computed.set(id, arena.bytes.slice(place.presence, place.presence + this.steps));
    return { steps: this.steps, request: this.request, claimed: this.given(), computed };
  }

  /** Copies kept elements out of the arena. */
  read({ fold, from, end, bytes }: KeptSteps): void {
    const { arena, folds } = this.#parts;
    let at = 0;
    forEachRun(
      folds.codes[fold] as FoldCode,
      [this.scene.places[fold] as Place],
      { from, end },
      (length, [start = 0]) => {
        bytes.set(arena.bytes.subarray(start, start + length), at);
        at += length;
      },
    );
  }

  /** Stands where another session stood. There must be room for its steps. */
  restore({ steps, claimed, kept }: SessionState & { kept: KeptSteps[] }): void {
    const { arena, folds } = this.#parts;
    for (const { fold, from, end, bytes } of kept) {
      const place = this.scene.places[fold] as Place;
      let at = 0;
      forEachRun(folds.codes[fold] as FoldCode, [place], { from, end }, (length, [start = 0]) => {
        arena.bytes.set(bytes.subarray(at, at + length), start);
        at += length;
      });
      if (place.presence !== 0) arena.bytes.fill(1, place.presence + from, place.presence + end);
    }
    this.give(claimed);
    this.steps = steps;
  }

  /** Notes what steps overwrite, before some are taken; `undo` puts it back. */
  mark(): Map<number, Uint8Array> {
    const { arena, storage } = this.#parts;
    const overwritten = new Map<number, Uint8Array>();
    for (const [id, place] of this.scene.places.entries())
      if (place !== undefined && storage.storage[id]?.kind === "ring" && this.steps > 0) {
        const start = stepStart(place, this.steps - 1);
        overwritten.set(id, arena.bytes.slice(start, start + place.stepStride));
      }
    return overwritten;
  }

  /** Makes as if no step had been computed since `mark`. */
  undo(overwritten: ReturnType<WasmSession["mark"]>): void {
    const { arena } = this.#parts;
    for (const [id, place] of this.scene.places.entries()) {
      if (place === undefined) continue;
      const bytes = overwritten.get(id);
      if (bytes !== undefined) arena.bytes.set(bytes, stepStart(place, this.steps - 1));
      if (place.presence !== 0) arena.bytes.fill(0, place.presence + this.steps, place.presence + this.capacity);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const block of this.#blocks) this.#parts.arena.free(block);
    if (this.#kept !== undefined) this.#parts.arena.free(this.#kept.base);
  }

  #block(bytes: number): number {
    const base = this.#parts.arena.allocate(bytes);
    this.#blocks.push(base);
    return base;
  }
}

/** Most bytes of a session with room for so many steps. */
export function sessionBytes(parts: Omit<SessionParts, "arena">, steps: number): number {
  const { program, folds, storage } = parts;
  const kept = keptLayout(parts, roomOf(steps, program)).bytes;
  const requests = program.requests.map((decl) => tensorByteLength(decl, 1));
  const whole = folds.codes
    .filter((_, id) => storage.storage[id]?.kind === "whole")
    .map((code) => wholeShape(code).bytes);
  return [kept, ...requests, ...whole].reduce((sum, bytes) => sum + blockBytes(bytes), 0);
}

/** The last stage may look at the step after those that were taken. */
const roomOf = (steps: number, { maxT }: Program): number => Math.min(Math.max(steps, 1) + 1, maxT);

function wholeShape(code: FoldCode): Shape {
  const steps = size.n(code.steps);
  return shapeOf(code, { steps, T: 1, history: steps });
}

function copyKept(
  { bytes }: Arena,
  code: FoldCode,
  [source, target]: [Place, Place],
  steps: { from: number; end: number },
): void {
  forEachRun(code, [source, target], steps, (length, [from = 0, to = 0]) => {
    bytes.copyWithin(to, from, from + length);
  });
  if (source.presence !== 0)
    bytes.copyWithin(target.presence + steps.from, source.presence + steps.from, source.presence + steps.end);
}

type KeptLayout = {
  bytes: number;
  /** Places relative to the block. */
  folds: { fold: number; place: Place }[];
  claimed: { tensor: number; offset: number; bytes: number }[];
};

/** Where a session's kept elements lie in its one block of `capacity` steps. */
export function keptLayout(
  { program, folds, storage, isGiven }: Omit<SessionParts, "arena">,
  capacity: number,
): KeptLayout {
  let end = 64;
  const take = (bytes: number) => {
    const at = end;
    end += Math.ceil((bytes + 16) / 64) * 64;
    return at;
  };
  const kept: KeptLayout["folds"] = [];
  for (const [fold, code] of folds.codes.entries()) {
    const how = storage.storage[fold];
    if (how?.kind !== "kept" && how?.kind !== "ring") continue;
    const steps = how.kind === "ring" ? how.steps : capacity;
    const shape = shapeOf(code, { steps, T: 1, history: capacity });
    const presence = storage.recorded[fold] ? take(capacity + 1) : 0;
    const ring = how.kind === "ring" ? how.steps : 0;
    kept.push({ fold, place: placeAt(take(shape.bytes), shape, { ring, presence }) });
  }
  const claimed = program.claimed.flatMap(({ type }, index) =>
    isGiven[index]
      ? [{ tensor: program.requests.length + index, offset: take(capacity * BYTES[type]), bytes: BYTES[type] }]
      : [],
  );
  return { bytes: end, folds: kept, claimed };
}
