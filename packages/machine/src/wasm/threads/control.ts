/**
 * The control block: words that the threads of an engine share besides its memory. What one thread writes while another
 * waits for it has a cache line of its own. It never grows, so no thread looks at an outdated view of it.
 */
const LINE = 16;

/** The next chunk of the job that nobody has taken. */
export const NEXT_CHUNK = 0;
/** The job: `JOB_WORDS` words. Written only while no helper runs. */
export const JOB = LINE;
export const ARGUMENTS = 8;
/**
 * `runs`: the number of a kernel, or `FOLDS`. `counted`: the kernel's argument that says how many items it takes.
 * Then the kernel's arguments for all items, and what one item adds to each.
 */
export const job = { runs: 0, chunks: 1, items: 2, itemsPerChunk: 3, counted: 4, arguments: 5, steps: 5 + ARGUMENTS };
export const FOLDS = -1;

/** Calls of fold functions: by chunk where its calls end, then two words a call, function and frame. */
const CHUNK_ENDS = LINE * 4;
export const MAX_CHUNKS = 64;
export const CALLS = CHUNK_ENDS + MAX_CHUNKS;
export const MAX_CALLS = 16_384;
const STATES = CALLS + 2 * MAX_CALLS;

export const chunkEnd = (chunk: number): number => CHUNK_ENDS + chunk;
/** Where helper h says what it does. */
export const stateOf = (helper: number): number => STATES + helper * LINE;
export const controlBytes = (helpers: number): number => stateOf(helpers) * 4;

/**
 * What a helper does. `posted`: there is a job; the driver takes it back from a helper that has not started when
 * everything is done. `awaited`: as `running`, and the driver sleeps until it is done.
 */
export const STATE = { idle: 0, asleep: 1, posted: 2, running: 3, awaited: 4, lost: 5 } as const;

/** Spinning longer than this against another process that owns the core costs more than any wake-up. */
export const SPIN_MS = 0.02;
const pause: () => void = Reflect.get(Atomics, "pause") ?? (() => undefined);

/** Watches a word for at most 20 microseconds while it has this value, and returns what it is then. */
export function spinWhile(control: Int32Array, at: number, value: number): number {
  const end = performance.now() + SPIN_MS;
  for (let turn = 1; ; turn++) {
    const now = Atomics.load(control, at);
    if (now !== value || (turn % 8 === 0 && performance.now() > end)) return now;
    pause();
  }
}
