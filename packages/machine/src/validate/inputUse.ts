import { clampInterval } from "../intervals.ts";
import { BYTES, type Program } from "../program.ts";
import { foldIntervals } from "./foldIntervals.ts";
import { expressionsOf } from "./wellFormed.ts";

/** For each claimed tensor: whether a stage before the last loads it. Only those are given to a session step by step. */
export function claimedBeforeLast(program: Program): boolean[] {
  const used = new Set<number>();
  for (const [stage, { folds }] of program.stages.slice(0, -1).entries())
    for (const fold of folds.keys()) {
      const { body, finish } = expressionsOf(program, stage, fold);
      for (const load of [...body.loads, ...(finish?.loads ?? [])]) if (load.op === "tensor") used.add(load.tensor);
    }
  return program.claimed.map((_, index) => used.has(program.requests.length + index));
}

/** A rectangle of a request tensor, both ends included, and the fold that loads it, numbered through all stages. */
export type RequestUse = {
  fold: number;
  request: number;
  rows: readonly [number, number];
  cols: readonly [number, number];
};

/** The request elements that some stage before the last may load, by the intervals of the indices. */
export function requestBeforeLast(program: Program): RequestUse[] {
  const uses: RequestUse[] = [];
  const beforeLast = foldIntervals(program).slice(0, -1).flat();
  for (const [fold, { expressions, body, finish }] of beforeLast.entries())
    for (const [code, analysis] of [
      [expressions.body, body],
      [expressions.finish, finish],
    ] as const)
      for (const load of code?.loads ?? []) {
        const decl = load.op === "tensor" ? program.requests[load.tensor] : undefined;
        if (!decl || load.op !== "tensor") continue;
        const [rows, cols] = load.args.map((arg, i) => {
          const bounds = { lo: 0n, hi: BigInt((i === 0 ? decl.rows : decl.cols) - 1) };
          const index = clampInterval(analysis?.values.get(arg) ?? bounds, bounds);
          return [Number(index.lo), Number(index.hi)] as const;
        });
        if (rows && cols) uses.push({ fold, request: load.tensor, rows, cols });
      }
  return uses;
}

/** The first element among `uses` in which two requests differ, or undefined. */
export function differingRequest(
  program: Program,
  uses: readonly RequestUse[],
  [a, b]: readonly [readonly Uint8Array[], readonly Uint8Array[]],
): { request: number; row: number; col: number } | undefined {
  for (const { request, rows, cols } of uses) {
    const decl = program.requests[request];
    const [left, right] = [a[request], b[request]];
    if (!decl || !left || !right) continue;
    const width = BYTES[decl.type];
    for (let row = rows[0]; row <= rows[1]; row++)
      for (let at = (row * decl.cols + cols[0]) * width; at < (row * decl.cols + cols[1] + 1) * width; at++)
        if (left[at] !== right[at]) return { request, row, col: Math.floor(at / width) - row * decl.cols };
  }
  return undefined;
}
