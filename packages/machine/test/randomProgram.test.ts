import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BYTES,
  claimedBeforeLast,
  decodeProgram,
  element,
  encodeProgram,
  foldIntervals,
  MachineError,
  openReference,
  operandsFrom,
  type Program,
  readElement,
  size,
  sizeAt,
  stepwiseReasons,
} from "../src/index.ts";
import { type RandomJob, randomJob } from "../src/testing/index.ts";

describe("a random program", () => {
  it("comes back from its bytes", () =>
    fc.assert(
      fc.property(randomJob(), ({ program }) => {
        expect(decodeProgram(encodeProgram(program))).toEqual(program);
      }),
      { numRuns: 100 },
    ));

  it("is refused with a MachineError or read, whatever bytes change", () =>
    fc.assert(
      fc.property(randomJob(), fc.nat(), fc.nat(255), fc.nat(), fc.nat(255), ({ program }, i, x, j, y) => {
        const file = encodeProgram(program);
        file[i % file.length] = x;
        file[j % Math.min(file.length, 60)] = y;
        try {
          expect(encodeProgram(decodeProgram(file))).toEqual(file);
        } catch (error) {
          if (!(error instanceof MachineError)) throw error;
        }
      }),
      { numRuns: 300 },
    ));

  it("is refused with a MachineError or well-formed, whatever its code is", () =>
    fc.assert(
      fc.property(
        randomJob(),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.boolean(),
        ({ program }, code, isBody) => {
          const fold = program.stages.at(-1)?.folds[0];
          if (!fold) throw new Error("no last fold");
          Object.assign(fold, isBody ? { body: code } : { finish: code });
          try {
            expect(decodeProgram(encodeProgram(program))).toEqual(program);
          } catch (error) {
            if (!(error instanceof MachineError)) throw error;
          }
        },
      ),
      { numRuns: 300 },
    ));

  it("keeps every value inside its interval", () =>
    fc.assert(
      fc.asyncProperty(randomJob(), async (random) => {
        const { program, values } = await runWhole(random);
        const intervals = foldIntervals(program).flat();
        for (const [i, fold] of program.stages.flatMap((stage) => stage.folds).entries()) {
          const { stored } = intervals[i] ?? { stored: { lo: 1n, hi: 0n } };
          const bytes = values[i] ?? new Uint8Array();
          for (let e = 0; e < bytes.length / BYTES[fold.type]; e++) {
            const value = readElement(fold.type, bytes, e);
            expect(stored.lo <= value && value <= stored.hi, `fold ${i}: ${value} in ${stored.lo}..${stored.hi}`).toBe(
              true,
            );
          }
        }
      }),
      { numRuns: 150 },
    ));

  it("gives any single element again from what an engine gave out", () =>
    fc.assert(
      fc.asyncProperty(randomJob(), fc.nat(), fc.nat(), fc.nat(), async (random, i, j, e) => {
        const { program, job, constants } = random;
        const { values } = await runWhole(random);
        const wants = wantsOf(program);
        const { T } = job;
        const matrix = (stage: number, fold: number, t: number) => {
          const decl = program.stages[stage]?.folds[fold];
          const all = values[wants.findIndex((want) => want.stage === stage && want.fold === fold)];
          if (!decl || !all) throw new Error("no such fold");
          const bytesAt = (step: number) =>
            sizeAt(decl.rows, { t: step, T }) * sizeAt(decl.cols, { t: step, T }) * BYTES[decl.type];
          let from = 0;
          for (let step = 0; step < t; step++) from += bytesAt(step);
          return all.subarray(from, from + bytesAt(t));
        };
        const { stage, fold } = wants[i % wants.length] ?? { stage: 0, fold: 0 };
        const decl = program.stages[stage]?.folds[fold];
        if (!decl) throw new Error("no such fold");
        const t = j % sizeAt(program.stages[stage]?.steps ?? 1, { t: 0, T });
        const cols = sizeAt(decl.cols, { t, T });
        const at = e % (cols * sizeAt(decl.rows, { t, T }));
        const operands = operandsFrom(
          program,
          { ...job, constant: (index) => constants[index] ?? new Uint8Array() },
          matrix,
        );
        const value = element(program, { stage, fold, t, r: Math.floor(at / cols), c: at % cols }, { T, operands });
        expect(value).toBe(readElement(decl.type, matrix(stage, fold, t), at));
      }),
      { numRuns: 150 },
    ));

  it("gives the same by sessions as whole, in whatever pieces the steps come", () =>
    fc.assert(
      fc.asyncProperty(
        randomJob({ stepwise: true }),
        fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
        async (random, pieces) => {
          const { program, job, constants } = random;
          expect(stepwiseReasons(program)).toEqual([]);
          const engine = await openReference(program, (i) => constants[i] ?? new Uint8Array());
          const session = engine.open({ request: job.request });
          const want = wantsOf(program).filter(({ stage }) => stage < program.stages.length - 1);
          const isGiven = claimedBeforeLast(program);
          const given: Uint8Array[][] = want.map(() => []);
          while (session.steps < job.T) {
            const steps = Math.min(pieces.next().value ?? 1, job.T - session.steps);
            const claimed = program.claimed.map(({ type }, i) =>
              isGiven[i]
                ? (job.claimed[i] ?? new Uint8Array()).subarray(
                    session.steps * BYTES[type],
                    (session.steps + steps) * BYTES[type],
                  )
                : new Uint8Array(),
            );
            const [result = []] = engine.advance([{ session, steps, claimed, want }]);
            for (const [i, bytes] of result.entries()) given[i]?.push(bytes);
          }
          const whole = engine.run({ ...job, want: wantsOf(program) });
          for (const [i, { stage, fold }] of want.entries()) {
            const isOnce = size.kind(program.stages[stage]?.steps ?? 0) === 0; // a stage of constant steps is given whole each time
            const pieced = isOnce ? given[i]?.[0] : Buffer.concat(given[i] ?? []);
            expect(Buffer.from(pieced ?? []).equals(whole[i] ?? new Uint8Array()), `stage ${stage}, fold ${fold}`).toBe(
              true,
            );
          }
          expect(engine.finish(session, job)).toEqual(whole.at(-1));
        },
      ),
      { numRuns: 150 },
    ));
});

const wantsOf = (program: Program) =>
  program.stages.flatMap(({ folds }, stage) => folds.map((_, fold) => ({ stage, fold, steps: "all" as const })));

async function runWhole({ program, constants, job }: RandomJob) {
  const engine = await openReference(program, (i) => constants[i] ?? new Uint8Array());
  return { program, values: engine.run({ ...job, want: wantsOf(program) }) };
}
