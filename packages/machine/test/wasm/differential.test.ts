import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Engine, Move, Want } from "../../src/engine.ts";
import { BYTES, claimedBeforeLast, openReference, type Program, size } from "../../src/index.ts";
import { type RandomJob, randomJob } from "../../src/testing/index.ts";
import { openWasm, openWasmWith } from "../../src/wasm/index.ts";
import { KERNEL_FAMILIES } from "../../src/wasm/kernelFamily.ts";

const source = (constants: Uint8Array[]) => (index: number) => constants[index] ?? new Uint8Array();
const wantsOf = (program: Program): Want[] =>
  program.stages.flatMap(({ folds }, stage) => folds.map((_, fold) => ({ stage, fold, steps: "all" as const })));

describe("wasm against the reference", () => {
  it("runs random programs to the same bytes", () =>
    fc.assert(
      fc.asyncProperty(randomJob(), async ({ program, constants, job }) => {
        const want = wantsOf(program);
        const expected = (await openReference(program, source(constants))).run({ ...job, want });
        const actual = (await openWasm(program, source(constants))).run({ ...job, want });
        for (const [i, { stage, fold }] of want.entries())
          expect(actual[i], `stage ${stage}, fold ${fold}`).toEqual(expected[i]);
      }),
      { numRuns: 250 },
    ));

  it("runs them to the same bytes without any of its kernels", () =>
    fc.assert(
      fc.asyncProperty(randomJob(), fc.subarray([...KERNEL_FAMILIES]), async ({ program, constants, job }, without) => {
        const want = wantsOf(program);
        const expected = (await openReference(program, source(constants))).run({ ...job, want });
        expect((await openWasmWith(program, source(constants), { without })).run({ ...job, want })).toEqual(expected);
      }),
      { numRuns: 80 },
    ));

  it("moves several sessions in one call, in whatever pieces, to the bytes of a whole run", () =>
    fc.assert(
      fc.asyncProperty(
        randomJob({ stepwise: true }),
        fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 12, maxLength: 12 }), {
          minLength: 1,
          maxLength: 3,
        }),
        async (random, pieces) => {
          const { program, constants, job } = random;
          const wants = wantsOf(program);
          const expected = (await openReference(program, source(constants))).run({ ...job, want: wants });
          const engine = await openWasm(program, source(constants));
          const before = wants.filter(({ stage }) => stage < program.stages.length - 1);
          const given = moveInPieces(engine, random, pieces, before);
          for (const { session, parts } of given) {
            for (const [i, { stage, fold }] of before.entries()) {
              const isOnce = size.kind(program.stages[stage]?.steps ?? 0) === 0;
              const bytes = isOnce ? parts[i]?.[0] : Uint8Array.from(Buffer.concat(parts[i] ?? []));
              expect(bytes, `stage ${stage}, fold ${fold}`).toEqual(expected[i]);
            }
            expect(engine.finish(session, job)).toEqual(expected.at(-1));
          }
          const [silent] = moveInPieces(engine, random, [[job.T]], []);
          if (silent) expect(engine.finish(silent.session, job), "nothing wanted").toEqual(expected.at(-1));
          expect(engine.run({ ...job, want: wants })).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    ));
});

/** Moves one session for each list of pieces, all in the same calls, until each has taken T steps. */
function moveInPieces(engine: Engine, { program, job }: RandomJob, pieces: number[][], want: Want[]) {
  const isGiven = claimedBeforeLast(program);
  const all = pieces.map((steps) => ({ session: engine.open(job), steps, parts: want.map((): Uint8Array[] => []) }));
  for (let turn = 0; all.some(({ session }) => session.steps < job.T); turn++) {
    const moving = all.filter(({ session }) => session.steps < job.T);
    const moves = moving.map(({ session, steps: sizes }): Move => {
      const steps = Math.min(sizes[turn % sizes.length] ?? 1, job.T - session.steps);
      const columns = (width: number): [number, number] => [session.steps * width, (session.steps + steps) * width];
      const claimed = program.claimed.map(({ type }, i) =>
        isGiven[i] ? (job.claimed[i] ?? new Uint8Array()).subarray(...columns(BYTES[type])) : new Uint8Array(),
      );
      return { session, steps, claimed, want };
    });
    for (const [m, result] of engine.advance(moves).entries())
      for (const [i, bytes] of result.entries()) moving[m]?.parts[i]?.push(bytes);
  }
  return all;
}
