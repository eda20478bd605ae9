import type { Program } from "./program.ts";

/** A tensor is its elements, row by row, as little-endian bytes. */
export type TensorBytes = Uint8Array;

/**
 * Gives the bytes of constant number `index` (0 = first constant). Called once for each constant while loading. It may write
 * them into `into`, which has their length, and return that: then they are held nowhere else.
 */
export type ConstantSource = (index: number, into?: Uint8Array) => TensorBytes;

/** Which elements a caller wants to see: all of a fold at the last step of a call, or at each of its steps. */
export type Want = { stage: number; fold: number; steps: "last" | "all" };

/** One move of one session: the next columns of each claimed tensor that stages before the last load. */
export type Move = {
  session: Session;
  /** Number of steps to go forward, at least 1. */
  steps: number;
  /** For each claimed tensor, in order: `steps` columns as bytes (one row each); empty where no stage but the last loads it. */
  claimed: TensorBytes[];
  want: Want[];
};

/**
 * For each want of a move: its elements, step by step, rows by columns, little-endian in the fold's type. "all" is every
 * step of the move, or, of a stage with a constant number of steps, all of those.
 */
export type MoveResult = TensorBytes[];

/** A job that is computed step by step. Its kept state (a KV cache) follows from the loads of the program. */
export type Session = {
  /** Steps taken so far. */
  readonly steps: number;
  close(): void;
};

/** A whole job: what a statement says besides the program. */
export type Job = { T: number; request: TensorBytes[]; claimed: TensorBytes[] };

/** How a call may end early. */
export type CallOptions = {
  /**
   * Asked between pieces of work of a few milliseconds at most, hundreds of times a step: let it read a flag. Once it is
   * true the call throws `machine.aborted`, and its sessions are as they were before.
   */
  isAborted?: () => boolean;
};

export type RoomOptions = {
  /**
   * Reserves the memory of so many steps at once: a session that takes no more never fails for want of memory and is
   * never copied. Without it a session grows as it goes forward.
   */
  reserveSteps?: number;
};

export type ForkOptions = RoomOptions & {
  /** The step at which it starts, at most the session's own. */
  steps?: number;
  /** Another request. */
  request?: TensorBytes[];
};

/** An engine with one program and its constants loaded. Synchronous: run it in a worker thread. */
export type Engine = {
  readonly program: Program;
  readonly backend: "reference" | "wasm";
  /**
   * Opens a session. Throws `machine.not_stepwise` for a program that can only be run whole, and `machine.out_of_memory`
   * where there is no room for it.
   */
  open(job: { request: TensorBytes[] }, options?: RoomOptions): Session;
  /**
   * A session of its own that has taken the same steps, or only the first of them, so that what two jobs have in common is
   * computed once. Throws `machine.step_missing` for an earlier step where a loop has kept its last one only,
   * `machine.request_mismatch` where another request differs in an element on which later steps depend through what is
   * kept, and `machine.out_of_memory`.
   */
  fork(session: Session, options?: ForkOptions): Session;
  /** A session as bytes, for `restore` of an engine with the same program and constants in another thread, process or back end. */
  snapshot(session: Session): Uint8Array;
  /**
   * Opens a session from a snapshot. What the session has computed is believed: a snapshot comes from an engine of one's own.
   * Throws `machine.bad_snapshot` for bytes that are none or are damaged, `machine.snapshot_mismatch` where another program or
   * other constants have computed it, and `machine.out_of_memory`.
   */
  restore(snapshot: Uint8Array, options?: RoomOptions): Session;
  /** Most bytes that one more session of so many steps takes. */
  sessionBytes(steps: number): number;
  /** Moves many sessions by many steps. Evaluates only what the wants need and what sessions must keep. */
  advance(moves: Move[], options?: CallOptions): MoveResult[];
  /**
   * Evaluates the last stage over a session's kept elements, once T is known. The statement is true if and only if every
   * element of the result is 1. `job.T` may be at most `session.steps + 1`: the last stage of a language model reads what
   * was computed one step before. `job.request` may differ from the session's in elements that only the last stage loads
   * (an answer that was cut is a whole answer to the same request with a lower limit).
   * Throws `machine.request_mismatch` where another stage loads an element that differs, `machine.claimed_mismatch` where a
   * claimed column differs from what the session was given, and `machine.step_missing` where the last stage loads a step
   * that was not taken.
   */
  finish(session: Session, job: Job, options?: CallOptions): TensorBytes;
  /** Runs a whole job and returns what is wanted (`steps: "all"`, or "last"). The last stage is evaluated if it is wanted. */
  run(job: Job & { want: Want[] }, options?: CallOptions): MoveResult;
  /**
   * Asks for the known answers of its kernels once more, in the code as it has become by now: a compiler replaces it while it
   * runs. Whoever signs what was computed asks first. A back end without kernels has nothing to ask.
   * @throws `machine.kernel_mismatch`, whose details name the `family` to do without: nothing that it computed can be believed
   */
  checkKernels(): void;
  /** Frees memory. The engine cannot be used afterwards. */
  close(): void;
};

/** Opens an engine. Throws `machine.*` with stage and fold where the program or its constants do not fit. */
export type OpenEngine = (program: Program, constants: ConstantSource) => Promise<Engine>;
