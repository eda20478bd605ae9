import type { Session, TensorBytes } from "../engine.ts";
import { BYTES } from "../program.ts";
import type { KeptSteps, SessionState } from "../snapshot.ts";
import type { Scene } from "./evaluate.ts";
import type { Storage } from "./folds.ts";
import { forEachMove, forEachRun } from "./keptRuns.ts";
import type { Arena, BlockOwner } from "./memory.ts";
import { type Place, stepStart } from "./places.ts";
import { capacityFor, type SessionLayout, type SessionShape, sessionLayout, wholeShape } from "./sessionLayout.ts";
import type { FoldCode } from "./sites.ts";

/** Steps that a session has room for when nobody says how many it will take; from there it doubles. */
const FIRST_CAPACITY = 64;

/** What one session keeps: its request, the folds that other steps load, and the claimed columns it was given. */
export class WasmSession implements Session, BlockOwner {
  readonly arena: Arena;
  readonly request: TensorBytes[];
  readonly scene: Scene;
  readonly #shape: SessionShape;
  #block: { base: number; capacity: number; layout: SessionLayout } | undefined;
  steps = 0;
  isClosed = false;

  /** Has room for `reserveSteps` steps, if they are not 0. @throws `machine.out_of_memory` */
  constructor(
    arena: Arena,
    shape: SessionShape,
    { request, reserveSteps }: { request: TensorBytes[]; reserveSteps: number },
  ) {
    const { program, folds } = shape;
    this.arena = arena;
    this.#shape = shape;
    this.request = request.map((bytes) => bytes.slice());
    this.scene = { T: 1, places: folds.codes.map(() => undefined), tensors: [] };
    this.#place(reserveSteps === 0 ? Math.min(FIRST_CAPACITY, program.maxT) : capacityFor(reserveSteps, program));
  }

  /** Steps that there is room for. */
  get capacity(): number {
    return this.#block?.capacity ?? 0;
  }

  /** Makes room for so many steps in all. @throws `machine.out_of_memory` and changes nothing then */
  reserve(steps: number): void {
    if (this.capacity >= steps) return;
    let capacity = FIRST_CAPACITY;
    while (capacity < steps) capacity *= 2;
    this.#place(Math.min(capacity, this.#shape.program.maxT));
  }

  moveTo(base: number): void {
    const block = this.#block;
    if (block === undefined) return;
    block.base = base;
    for (const { fold, place } of block.layout.folds)
      this.scene.places[fold] = {
        ...place,
        base: base + place.base,
        presence: place.presence === 0 ? 0 : base + place.presence,
      };
    for (const [index, { base: offset, rowStride }] of block.layout.tensors.entries())
      this.scene.tensors[index] = { base: base + offset, rowStride };
  }

  /** Takes the next columns of the claimed tensors. Room for them must be reserved. */
  give(claimed: TensorBytes[]): void {
    const { program, isGiven } = this.#shape;
    for (const [index, { type }] of program.claimed.entries())
      if (isGiven[index])
        this.arena.bytes.set(claimed[index] as Uint8Array, this.#givenAt(index) + this.steps * BYTES[type]);
  }

  /** The claimed columns that were given for the first steps, as bytes; empty where none are. */
  given(steps = this.steps): TensorBytes[] {
    const { program, isGiven } = this.#shape;
    return program.claimed.map(({ type }, index) => {
      const base = this.#givenAt(index);
      return isGiven[index] ? this.arena.bytes.slice(base, base + steps * BYTES[type]) : new Uint8Array(0);
    });
  }

  /** Takes over the first `steps` steps of another session; of the folds `without` as if they had not been computed. */
  copy(from: WasmSession, steps: number, without: readonly number[]): void {
    this.#copy(from.scene.places, steps);
    for (const id of without) {
      const { presence } = this.scene.places[id] as Place;
      this.arena.bytes.fill(0, presence, presence + steps);
    }
    this.give(from.given(steps));
    this.steps = steps;
  }

  /** What it is without the elements that it keeps. */
  state(): SessionState {
    const { always } = this.#shape.storage;
    const computed = new Map<number, Uint8Array>();
    for (const [id, place] of this.scene.places.entries())
      if (place !== undefined && place.presence !== 0 && !always[id])
        computed.set(id, this.arena.bytes.slice(place.presence, place.presence + this.steps));
    return { steps: this.steps, request: this.request, claimed: this.given(), computed };
  }

  /** Copies kept elements out of the arena. */
  read({ fold, from, end, bytes }: KeptSteps): void {
    let at = 0;
    forEachRun(this.#code(fold), [this.scene.places[fold] as Place], { from, end }, (length, [start = 0]) => {
      bytes.set(this.arena.bytes.subarray(start, start + length), at);
      at += length;
    });
  }

  /** Stands where another session stood. There must be room for its steps. */
  restore({ steps, claimed, kept }: SessionState & { kept: KeptSteps[] }): void {
    for (const { fold, from, end, bytes } of kept) {
      const place = this.scene.places[fold] as Place;
      let at = 0;
      forEachRun(this.#code(fold), [place], { from, end }, (length, [start = 0]) => {
        this.arena.bytes.set(bytes.subarray(at, at + length), start);
        at += length;
      });
      if (place.presence !== 0) this.arena.bytes.fill(1, place.presence + from, place.presence + end);
    }
    this.give(claimed);
    this.steps = steps;
  }

  /** Notes what steps overwrite, before some are taken; `undo` puts it back. */
  mark(): Map<number, Uint8Array> {
    const overwritten = new Map<number, Uint8Array>();
    for (const [id, place] of this.scene.places.entries())
      if (place !== undefined && this.#kind(id) === "ring" && this.steps > 0) {
        const start = stepStart(place, this.steps - 1);
        overwritten.set(id, this.arena.bytes.slice(start, start + place.stepStride));
      }
    return overwritten;
  }

  /** Makes as if no step had been computed since `mark`. */
  undo(overwritten: ReturnType<WasmSession["mark"]>): void {
    const { bytes } = this.arena;
    for (const [id, place] of this.scene.places.entries()) {
      if (place === undefined) continue;
      const before = overwritten.get(id);
      if (before !== undefined) bytes.set(before, stepStart(place, this.steps - 1));
      if (place.presence !== 0) bytes.fill(0, place.presence + this.steps, place.presence + this.capacity);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.#block !== undefined) this.arena.free(this.#block.base);
    this.#block = undefined;
  }

  #place(capacity: number): void {
    const layout = sessionLayout(this.#shape, capacity);
    const base = this.arena.allocate(layout.bytes, this);
    // not before: to make room, this session may have been moved
    const old = this.#block;
    const [places, given] = [this.scene.places.slice(), old === undefined ? [] : this.given()];
    this.#block = { base, capacity, layout };
    this.moveTo(base);
    const { bytes } = this.arena;
    for (const [index, tensor] of this.request.entries()) bytes.set(tensor, this.scene.tensors[index]?.base ?? 0);
    for (const place of this.scene.places)
      if (place !== undefined && place.presence !== 0) bytes.fill(0, place.presence, place.presence + capacity + 1);
    if (old === undefined) return;
    this.#copy(places, this.steps);
    for (const [index, columns] of given.entries()) bytes.set(columns, this.#givenAt(index));
    this.arena.free(old.base);
  }

  /** Copies what is kept of the first steps from where it lies in this or another session. */
  #copy(from: readonly (Place | undefined)[], steps: number): void {
    const { bytes } = this.arena;
    for (const [id, target] of this.scene.places.entries()) {
      const source = from[id];
      if (source === undefined || target === undefined) continue;
      const kind = this.#kind(id);
      if (kind === "whole") bytes.copyWithin(target.base, source.base, source.base + wholeShape(this.#code(id)).bytes);
      else if (steps > 0) {
        const kept = { from: kind === "ring" ? steps - 1 : 0, end: steps };
        forEachMove(this.#code(id), [source, target], kept, (length, start, to) => {
          bytes.copyWithin(to, start, start + length);
        });
      }
      if (target.presence !== 0) bytes.copyWithin(target.presence, source.presence, source.presence + steps);
    }
  }

  #givenAt(claimed: number): number {
    return this.scene.tensors[this.#shape.program.requests.length + claimed]?.base as number;
  }

  #kind(fold: number): Storage["kind"] | undefined {
    return this.#shape.storage.storage[fold]?.kind;
  }

  #code(fold: number): FoldCode {
    return this.#shape.folds.codes[fold] as FoldCode;
  }
}
