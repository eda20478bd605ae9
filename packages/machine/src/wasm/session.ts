import type { Session, TensorBytes } from "../engine.ts";
import type { Program } from "../program.ts";
import { BYTES, size, sizeAt } from "../program.ts";
import type { Scene } from "./evaluate.ts";
import type { Folds, SessionFolds } from "./folds.ts";
import type { Arena } from "./memory.ts";
import { type Place, placeAt, shapeOf } from "./places.ts";

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

  /** @throws `machine.out_of_memory` */
  constructor(parts: SessionParts, request: TensorBytes[]) {
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
        const steps = size.n(code.steps);
        const shape = shapeOf(code, { steps, T: 1, history: steps });
        this.scene.places[id] = placeAt(this.#block(shape.bytes), shape);
      }
      this.reserve(1);
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
    const { arena, program } = this.#parts;
    const old = this.#kept;
    if (old !== undefined && old.capacity >= steps) return;
    let capacity = FIRST_CAPACITY;
    while (capacity < steps) capacity *= 2;
    // a step beyond maxT is asked for by no job, one more is: the last stage may look at a step that was not taken
    capacity = Math.min(capacity, Math.max(program.maxT, steps));
    const layout = keptLayout(this.#parts, capacity);
    const base = arena.allocateZeroed(layout.bytes);
    const before = this.scene.places.slice();
    const tensorsBefore = this.scene.tensors.slice();
    for (const { fold, place } of layout.folds) {
      const moved = { ...place, base: place.base + base, presence: place.presence === 0 ? 0 : place.presence + base };
      const from = before[fold];
      if (from !== undefined) this.#copyKept(fold, from, moved);
      this.scene.places[fold] = moved;
    }
    for (const { tensor, offset, bytes } of layout.claimed) {
      const from = tensorsBefore[tensor]?.base ?? 0;
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

  /** The claimed columns that were given, as bytes; empty where none are. */
  given(): TensorBytes[] {
    const { program, arena, isGiven } = this.#parts;
    return program.claimed.map(({ type }, index) => {
      const base = this.scene.tensors[program.requests.length + index]?.base as number;
      return isGiven[index] ? arena.bytes.slice(base, base + this.steps * BYTES[type]) : new Uint8Array(0);
    });
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

  #copyKept(fold: number, from: Place, to: Place): void {
    const { arena, folds } = this.#parts;
    const { bytes } = arena;
    const code = folds.codes[fold] as Folds["codes"][number];
    if (from.presence !== 0) bytes.copyWithin(to.presence, from.presence, from.presence + this.steps);
    const width = BYTES[code.decl.type];
    const [rows, cols] = [size.n(code.decl.rows), size.n(code.decl.cols)];
    if (from.ring !== 0 || (code.order !== 1 && from.stepStride === to.stepStride)) {
      const kept = from.ring === 0 ? this.steps : from.ring;
      bytes.copyWithin(to.base, from.base, from.base + kept * from.stepStride);
    } else if (code.order === 1) {
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < cols; c++) {
          const source = from.base + r * from.rowStride + c * from.colStride;
          bytes.copyWithin(to.base + r * to.rowStride + c * to.colStride, source, source + this.steps * width);
        }
    } else {
      for (let t = 0; t < this.steps; t++) {
        const at = { t, T: 1 };
        for (let r = 0; r < sizeAt(code.decl.rows, at); r++) {
          const source = from.base + t * from.stepStride + r * from.rowStride;
          bytes.copyWithin(
            to.base + t * to.stepStride + r * to.rowStride,
            source,
            source + sizeAt(code.decl.cols, at) * width,
          );
        }
      }
    }
  }
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
