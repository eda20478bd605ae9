import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cases, drawsFrom, isDeep, patience } from "../support/deep.ts";
import { clockTerms } from "../support/games/clocks.ts";
import { floodCourt } from "../support/games/courtFlood.ts";
import { leastSlack, type Planned, type Work } from "../support/games/flood.ts";
import { comparable } from "../support/games/replay.ts";
import { subjectOf } from "../support/games/subject.ts";
import { openTable, REAL_TERMS } from "../support/games/table.ts";
import { readGame } from "../support/games/view.ts";
import { World } from "../support/games/world.ts";
import { tinyPrograms } from "../support/tinyPrograms.ts";

const HOUR = 3_600;
const DAY = 24 * HOUR;
const terms = clockTerms(REAL_TERMS);
const MOST = isDeep ? 800 : 120;

/** Trace and reveals of one game take 50 minutes; a node takes no job for which they would take more than 30. */
const WORKS: Work[] = [
  { trace: 1_200, reveal: 200, reveals: 9 },
  { trace: 2_991, reveal: 1, reveals: 9 },
  { trace: 0, reveal: 333, reveals: 9 },
  { trace: 0, reveal: 1_000, reveals: 3 },
  { trace: 0, reveal: 3_000, reveals: 1 },
];

const atOnce = () => 0;
/** Never moves before its last second. */
const last = () => Number.POSITIVE_INFINITY;
/** Saves up: asks for the first time in its last second, then at once. */
const lateOnce = (move: number) => (move === 0 ? Number.POSITIVE_INFINITY : 0);
const plan = (n: number, of: (i: number) => Planned): Planned[] => Array.from({ length: n }, (_, i) => of(i));

const FLOODS: { flood: string; planned: (n: number) => Planned[] }[] = [
  { flood: "all of one answer", planned: (n) => plan(n, () => ({ at: 0, answer: 0, thinks: atOnce })) },
  { flood: "each of another answer", planned: (n) => plan(n, (i) => ({ at: 0, answer: i, thinks: atOnce })) },
  {
    flood: "of one answer, each move at the last second",
    planned: (n) => plan(n, () => ({ at: 0, answer: 0, thinks: last })),
  },
  {
    flood: "of as many answers, each move at the last second",
    planned: (n) => plan(n, (i) => ({ at: 0, answer: i, thinks: last })),
  },
  { flood: "one an hour", planned: (n) => plan(n, (i) => ({ at: i * HOUR, answer: i, thinks: atOnce })) },
  { flood: "saved up for a day", planned: (n) => plan(n, () => ({ at: 0, answer: 0, thinks: lateOnce })) },
  {
    flood: "opened over a day, and all asking at its end",
    planned: (n) =>
      plan(n, (i) => ({
        at: Math.min(i * HOUR, DAY),
        answer: 0,
        thinks: (move) => (move === 0 ? Math.max(0, DAY - i * HOUR) : 0),
      })),
  },
  {
    flood: "a day's worth saved up, then the rest",
    planned: (n) =>
      plan(n, (i) =>
        i < 24 ? { at: 0, answer: 0, thinks: lateOnce } : { at: DAY + 1, answer: i % 3, thinks: atOnce },
      ),
  },
];

describe("an honest payee that needs its time", () => {
  it.each(FLOODS)(
    `moves in time in every one of ${MOST} challenges, $flood`,
    ({ planned }) => {
      for (const work of WORKS)
        for (const n of [1, 24, 25, 48, MOST])
          expect(
            leastSlack({ terms, work, plan: planned(n) }),
            `${n} challenges, ${JSON.stringify(work)}`,
          ).toBeGreaterThan(0);
    },
    patience,
  );

  it(
    "moves in time whenever challenges come and however long they think",
    () => {
      fc.assert(
        fc.property(
          fc.nat(),
          fc.constantFrom(...WORKS),
          fc.integer({ min: 1, max: isDeep ? 200 : 60 }),
          (seed, work, n) => {
            const draws = drawsFrom(seed);
            const spread = draws.pick([0, DAY, 3 * DAY]);
            const answers = draws.pick([1, 2, n]);
            const planned = plan(n, () => {
              const [first, later] = [draws.pick([0, HOUR, DAY - HOUR, DAY]), draws.pick([0, 0, HOUR, DAY])];
              return {
                at: draws.below(spread + 1),
                answer: draws.below(answers),
                thinks: (move) => (move === 0 ? first : later),
              };
            });
            expect(leastSlack({ terms, work, plan: planned })).toBeGreaterThan(0);
          },
        ),
        { numRuns: cases(40) },
      );
    },
    patience,
  );

  // why a node keeps well below an hour: whoever spreads its openings over the day that it may save up has one challenge
  // more than the payee has hours
  it("has no second to spare where reveals alone take an hour", () => {
    const planned = FLOODS.find(({ flood }) => flood.startsWith("opened over a day"))?.planned(25) ?? [];
    expect(leastSlack({ terms, work: { trace: 0, reveal: HOUR, reveals: 1 }, plan: planned })).toBe(-HOUR);
    expect(leastSlack({ terms, work: { trace: 0, reveal: HOUR, reveals: 1 }, plan: planned.slice(0, 24) })).toBe(0);
  });
});

describe("an honest payee that keeps two traces and builds the others again", () => {
  const floods = (n: number) =>
    [0, 300, HOUR / 2, 2 * HOUR].map((thinks) => plan(n, (i) => ({ at: 0, answer: i, thinks: () => thinks })));
  const least = (work: Work, n: number) =>
    Math.min(...floods(n).map((planned) => leastSlack({ terms, work: { ...work, kept: 2 }, plan: planned })));

  // challengers of many answers that take their time make it go from one to the next: every reveal costs a trace
  it("needs more than its time where a job is measured by one trace", () => {
    expect(least({ trace: 1_200, reveal: 60, reveals: 9 }, 20)).toBeLessThan(0);
  });

  it("has time where a job is measured by a trace for every reveal", () => {
    for (const work of [
      { trace: 240, reveal: 60, reveals: 9 },
      { trace: 290, reveal: 10, reveals: 9 },
      { trace: 900, reveal: 100, reveals: 2 },
    ])
      for (const n of [20, 40, MOST]) expect(least(work, n), `${n}, ${JSON.stringify(work)}`).toBeGreaterThan(0);
  });
});

describe("a flood at the court", () => {
  it.each([
    { flood: "of one answer", answers: 1 },
    { flood: "of many answers", answers: MOST },
  ])(
    "is answered in time, $flood, and every challenger loses its bond",
    async ({ answers }) => {
      const challenges = isDeep ? 800 : 30;
      const table = await openTable(REAL_TERMS);
      const world = new World(table, drawsFrom(6));
      await world.open();
      const { kind, job } = tinyPrograms[2] as (typeof tinyPrograms)[0];
      const ids = await floodCourt(world, {
        ...{ subject: subjectOf(kind, job), challenges, answers: Math.min(answers, challenges) },
        work: { trace: 1_200, reveal: 360 },
      });
      // the contract's clocks are those of the model
      for (const id of ids) {
        const game = await readGame(table.chain, id);
        expect(game && comparable(game)).toEqual(world.replay.game(id));
        expect(game?.turn).toBe("lost");
      }
      const payee = world.payees[0]?.account.address ?? "0x";
      expect(await table.chain.read("court", { functionName: "creditOf", args: [payee] })).toBe(
        (BigInt(challenges) * table.terms.bond) / 2n,
      );
      expect(await table.chain.read("court", { functionName: "openChallenges", args: [payee] })).toBe(0n);
    },
    patience,
  );
});
