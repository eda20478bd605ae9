import { beforeAll, describe, expect, it } from "vitest";
import { isDeep, patience } from "../support/deep.ts";
import { deepJob } from "../support/games/deepJob.ts";
import { FORGERIES, falseAnswers, forgedTraces, otherLengths } from "../support/games/lies.ts";
import { type Played, playOut } from "../support/games/play.ts";
import { clearLies } from "../support/games/pool.ts";
import { type Subject, subjectOf } from "../support/games/subject.ts";
import { addressOf, keyOf, openTable, type Table, TUSD } from "../support/games/table.ts";
import { tinyPrograms } from "../support/tinyPrograms.ts";

const payee = keyOf("payee");
const challenger = addressOf("challenger");
/** Which other values of an element a liar writes, and how many of its lies are played. */
const PICKS = isDeep ? [0, 1, 6] : [1];
const EVERY = isDeep ? 1 : 7;

let table: Table;
beforeAll(async () => {
  table = await openTable();
  await table.stake(payee.address, 10n ** 9n * TUSD);
  await table.fund(challenger, 10n ** 9n * TUSD);
});

/** Plays a lie of a payee that answers everything it can. */
async function play(subject: Subject): Promise<Played> {
  const until = table.chain.now + 600;
  return playOut(table, await table.sign(subject, { payee: payee.address, key: payee, until }), {
    ...{ challenger, payee: payee.address },
  });
}

/** All are convicted, without anybody's clock running out, in moves that the depth of the trace bounds. */
async function convictsAll(lies: readonly Subject[]): Promise<void> {
  const results: string[] = [];
  for (const lie of lies) {
    const { result, moves } = await play(lie);
    const asks = moves.filter((move) => move === "ask").length;
    results.push(`${lie.name}: ${result} by ${moves.at(-1)}${asks > 8 ? ` after ${asks} asks` : ""}`);
  }
  expect(results).toEqual(lies.map(({ name }) => `${name}: won by refute`));
  expect(lies.length).toBeGreaterThan(0);
}

const programs = [
  ...tinyPrograms.map((each) => ({ ...each, every: EVERY })),
  { kind: "a deep trace", job: deepJob(), every: isDeep ? 9 : 301 },
];

describe.each(programs)("a game about $kind", ({ kind, job, every }) => {
  it.each(FORGERIES)(
    "is won against a trace with $lie",
    async (forgery) => convictsAll([...forgedTraces(kind, job, forgery, PICKS, every)]),
    patience,
  );

  it.each([
    { shown: "its true trace, whose root is the challenger's", forgesOk: false },
    { shown: "a trace whose ok is 1", forgesOk: true },
  ])(
    "is won against another answer with $shown",
    async (how) => convictsAll([...falseAnswers(kind, job, how, Math.ceil(every / (isDeep ? 1 : 4)))]),
    patience,
  );

  it(
    "is won by time against a leaf of another length",
    async () => {
      for (const lie of otherLengths(kind, job, isDeep ? every : 5 * every)) {
        const { result, moves } = await play(lie);
        const last = moves.slice(-2);
        expect({ lie: lie.name, result, last }).toEqual({
          ...{ lie: lie.name, result: "won" },
          last: ["revealLeaf refused: BadLength", "timeout"],
        });
      }
    },
    patience,
  );

  it("is won against a root from nowhere, and against the zero root, by time", async () => {
    for (const byte of [0, 7]) {
      const { result, moves } = await play(subjectOf(kind, job, { root: new Uint8Array(32).fill(byte) }));
      expect({ byte, result, last: moves.at(-1) }).toEqual({ byte, result: "won", last: "timeout" });
    }
  });
});

describe("a statement that is false whatever its trace", () => {
  it.each(clearLies())("$lie is convicted without a root", async ({ subject }) => {
    const { result, moves } = await play(subject);
    expect({ result, moves }).toEqual({ result: "won", moves: ["challenge", "refute"] });
  });
});
