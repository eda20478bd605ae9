import type { Job } from "../engine.ts";
import { BYTES, type Program } from "../program.ts";
import type { Recording, WasmEngine } from "../wasm/index.ts";
import { HashLanes } from "./hashLanes.ts";
import { InnermostBuffer } from "./innermost.ts";
import { type KeptLevels, LevelBuilder } from "./keptLevels.ts";
import { foldAt, stageAt, stepsOf } from "./layout.ts";
import { innermostPasses, isOneTensor, keptHeight, smallStages, TRACE_LIMITS, type TraceLimits } from "./plan.ts";
import { heightOf } from "./position.ts";
import { StageBytes } from "./stageBytes.ts";
import { streamedTrace } from "./streamed.ts";
import { TensorStream } from "./tensorStream.ts";
import type { Trace } from "./trace.ts";

/** A trace under construction. */
export type TraceBuild = {
  /** Share of the work that is done, from 0 to 1. */
  readonly progress: number;
  /** Computes and hashes the next block of steps, some ten to hundred milliseconds of work; the trace once all is done. */
  advance(): Trace | undefined;
  /** Gives up; a trace that was handed out is closed by itself. */
  close(): void;
};

/** The trace of a job, built in one call. Options and errors: `buildTrace`. */
export function openTrace(engine: WasmEngine, job: Job, limits: Partial<TraceLimits> = {}): Trace {
  const build = buildTrace(engine, job, limits);
  try {
    for (;;) {
      const trace = build.advance();
      if (trace) return trace;
    }
  } catch (error) {
    build.close();
    throw error;
  }
}

/**
 * Builds the trace of a job block by block. Every element is computed once and hashed as it comes; upper levels are kept,
 * and what is under them is computed again when it is asked for. The engine must stay open as long as the trace is used,
 * and may serve sessions meanwhile.
 * @throws `machine.bad_job`, `machine.out_of_memory`, `machine.closed`, `machine.kernel_mismatch`
 */
export function buildTrace(engine: WasmEngine, job: Job, limits: Partial<TraceLimits> = {}): TraceBuild {
  return new Build(engine, job, { ...TRACE_LIMITS, ...limits });
}

class Build implements TraceBuild {
  readonly #program: Program;
  readonly #job: Job;
  readonly #limits: TraceLimits;
  readonly #recording: Recording;
  readonly #keep: number;
  /** By stage: the stream of its one tensor. */
  readonly #streams: (TensorStream | undefined)[];
  /** By stage: its elements, where they are kept. */
  readonly #small: (StageBytes | undefined)[];
  /** By stage: the steps of a loop. */
  readonly #loops: (LoopBuilder | undefined)[];
  readonly #passes: ReturnType<typeof innermostPasses>;
  #buffers: { stage: number; buffer: InnermostBuffer }[];
  #state: "recording" | "later passes" | "done" = "recording";

  constructor(engine: WasmEngine, job: Job, limits: TraceLimits) {
    const { program } = engine;
    const { T } = job;
    this.#program = program;
    this.#job = job;
    this.#limits = limits;
    this.#recording = engine.record(job, (stage, fold) => this.#tap(stage, fold));
    this.#keep = keptHeight(program, T, limits);
    const lanes = new HashLanes();
    this.#streams = program.stages.map((_, stage) =>
      isOneTensor(program, stage) ? new TensorStream(lanes, this.#keep) : undefined,
    );
    const small = smallStages(program, T, limits);
    this.#small = program.stages.map((_, stage) => (small.has(stage) ? new StageBytes(program, stage, T) : undefined));
    this.#loops = program.stages.map(({ order, folds }) =>
      order === 2 ? new LoopBuilder(lanes, { folds: folds.length, keep: this.#keep }) : undefined,
    );
    this.#passes = innermostPasses(program, T, limits);
    this.#buffers = this.#nextBuffers();
  }

  get progress(): number {
    const { taken, all } = this.#recording.progress;
    return taken / all;
  }

  advance(): Trace | undefined {
    if (this.#state === "done") throw new Error("the trace was built");
    if (this.#state === "recording") {
      if (this.#recording.advance()) return undefined;
      this.#hashBuffers();
      this.#state = "later passes";
    } else {
      for (const { stage, buffer } of this.#buffers) {
        const end = stepsOf(stageAt(this.#program, stage), this.#job.T);
        this.#recording.replay({ stage, from: 0, end }, [(bytes, t) => buffer.put(bytes, t)]);
      }
      this.#hashBuffers();
    }
    this.#buffers = this.#nextBuffers();
    if (this.#buffers.length > 0) return undefined;
    this.#state = "done";
    return streamedTrace(this.#finished(), {
      program: this.#program,
      T: this.#job.T,
      recording: this.#recording,
      small: this.#small.map((stage) => stage?.tensors),
      cacheBytes: this.#limits.cacheBytes,
    });
  }

  close(): void {
    if (this.#state !== "done") this.#recording.close();
  }

  #tap(stage: number, fold: number) {
    const { order } = stageAt(this.#program, stage);
    if (order === 1)
      return (bytes: Uint8Array, t: number) => {
        for (const each of this.#buffers) if (each.stage === stage) each.buffer.put(bytes, t);
      };
    if (order === 2)
      return (bytes: Uint8Array) => {
        this.#loops[stage]?.take(bytes, fold);
        this.#small[stage]?.take(bytes);
      };
    return (bytes: Uint8Array) => this.#take(stage, bytes);
  }

  /** The next bytes of a stage's one tensor. */
  #take(stage: number, bytes: Uint8Array): void {
    this.#streams[stage]?.update(bytes);
    this.#small[stage]?.take(bytes);
  }

  #nextBuffers(): { stage: number; buffer: InnermostBuffer }[] {
    const width = (stage: number) => BYTES[foldAt(this.#program, stage, 0).type];
    return (this.#passes.shift() ?? []).map((rows) => ({
      stage: rows.stage,
      buffer: new InnermostBuffer(rows, width(rows.stage)),
    }));
  }

  #hashBuffers(): void {
    for (const { stage, buffer } of this.#buffers) this.#take(stage, buffer.bytes);
    this.#buffers = [];
  }

  /** By stage: the leaves of its tensor, or the steps of the loop. */
  #finished(): KeptLevels[] {
    return this.#program.stages.map(
      (_, stage) => (this.#streams[stage]?.finish(this.#keep) ?? this.#loops[stage]?.finish()) as KeptLevels,
    );
  }
}

/** The steps of a loop: each is the list of its folds, each a tensor that is hashed at once. */
class LoopBuilder {
  readonly #tensor: TensorStream;
  readonly #steps: LevelBuilder;
  readonly #folds: number;
  #step = new LevelBuilder(ROOT_ONLY);
  #count = 0;

  constructor(lanes: HashLanes, { folds, keep }: { folds: number; keep: number }) {
    this.#tensor = new TensorStream(lanes, ROOT_ONLY);
    this.#steps = new LevelBuilder(keep);
    this.#folds = folds;
  }

  take(bytes: Uint8Array, fold: number): void {
    this.#tensor.update(bytes);
    this.#step.push(this.#tensor.finish(ROOT_ONLY).root, 0);
    if (fold < this.#folds - 1) return;
    this.#steps.push(this.#step.finish(heightOf(this.#folds)).root, 0);
    this.#step = new LevelBuilder(ROOT_ONLY);
    this.#count++;
  }

  finish(): KeptLevels {
    return this.#steps.finish(heightOf(this.#count));
  }
}

/** A height that no list reaches. */
const ROOT_ONLY = 64;
