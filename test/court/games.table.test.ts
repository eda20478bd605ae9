import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isDeep, patience } from "../support/deep.ts";
import { deepJob } from "../support/games/deepJob.ts";
import { type Director, direct } from "../support/games/director.ts";
import { falseAnswers, forgedTraces } from "../support/games/lies.ts";
import { nonsense } from "../support/games/mischief.ts";
import { calls } from "../support/games/moves.ts";
import { clearLies } from "../support/games/pool.ts";
import { randomAsk } from "../support/games/randomMoves.ts";
import { type Subject, subjectOf } from "../support/games/subject.ts";
import { openTable, type Table, TUSD } from "../support/games/table.ts";
import { twists } from "../support/games/twists.ts";
import { PURSE, type Signed } from "../support/games/world.ts";
import { tinyPrograms } from "../support/tinyPrograms.ts";

const { kind, job } = tinyPrograms[2] as (typeof tinyPrograms)[0];
const truth = subjectOf(`${kind}, truly`, job);
/** A false answer whose payee shows a trace with ok forged; it can be refuted once leaves are shown. */
const lie = firstOf(falseAnswers(kind, job, { forgesOk: true }));
/** A true answer whose payee shows another trace than its own. */
const wrongTrace = firstOf(forgedTraces(kind, job, { throughout: true, forgesOk: true }, [1]));
const clearLie = clearLies()[0]?.subject as Subject;

let table: Table;
let d: Director;
let undo: () => Promise<void>;
beforeAll(async () => {
  table = await openTable();
});
beforeEach(async () => {
  undo = await table.chain.mark();
  d = await direct(table);
});
afterEach(() => undo());

type Row = { situation: string; verdict: string; play(): Promise<string> };

const caught = async (signed: Signed, name = "auditor"): Promise<string> => {
  await d.challenge(name, signed);
  const id = await d.idOf(name, signed);
  await d.answer(id);
  return d.as(name, calls.refute(id, signed, await d.extract(id)));
};

const AUDITOR = "convicted, auditor paid";

const rows: Row[] = [
  {
    situation: "a friend who challenges first and loses on purpose whitewashes nothing",
    verdict: AUDITOR,
    async play() {
      const signed = await d.sign(d.liar, lie);
      await d.challenge("friend", signed);
      const id = await d.idOf("friend", signed);
      await d.answer(id);
      await d.wait(301);
      await d.by(d.world.stranger, calls.timeout([id]));
      await caught(signed);
      return d.verdict(signed);
    },
  },
  {
    situation: "who opened first and fell silent is passed over, once it is off the list",
    verdict: `ExpiredFirst, then ${AUDITOR}`,
    async play() {
      const signed = await d.sign(d.liar, lie);
      await d.challenge("sleeper", signed);
      const first = await d.idOf("sleeper", signed);
      await d.answer(first);
      await d.wait(200);
      await d.challenge("auditor", signed);
      const id = await d.idOf("auditor", signed);
      const evidence = await d.extract(id);
      await d.wait(101);
      const before = await d.as("auditor", calls.refute(id, signed, evidence));
      await d.by(d.world.stranger, calls.timeout([first]));
      await d.as("auditor", calls.refute(id, signed, evidence));
      return `${before}, then ${d.verdict(signed)}`;
    },
  },
  {
    situation: "the automatic challenger takes the silent ones before it off by itself",
    verdict: AUDITOR,
    async play() {
      const signed = await d.sign(d.liar, lie);
      await d.challenge("sleeper", signed);
      await d.answer(await d.idOf("sleeper", signed));
      await d.wait(200);
      await d.challenge("auditor", signed);
      const id = await d.idOf("auditor", signed);
      await d.extract(id);
      await d.wait(101);
      await d.go(id);
      return d.verdict(signed);
    },
  },
  {
    situation: "who copies the evidence from the mempool, with a challenge of its own, is not paid for it",
    verdict: AUDITOR,
    async play() {
      const signed = await d.sign(d.liar, lie);
      await d.challenge("auditor", signed);
      const id = await d.idOf("auditor", signed);
      await d.answer(id);
      const evidence = await d.extract(id);
      await d.challenge("thief", signed);
      await d.as("thief", calls.refute(await d.idOf("thief", signed), signed, evidence));
      return d.verdict(signed);
    },
  },
  {
    situation: "who sends the auditor's own evidence to the auditor's own game earns nothing",
    verdict: AUDITOR,
    async play() {
      const signed = await d.sign(d.liar, lie);
      await d.challenge("auditor", signed);
      const id = await d.idOf("auditor", signed);
      await d.answer(id);
      await d.by(d.world.stranger, calls.refute(id, signed, await d.extract(id)));
      return d.verdict(signed);
    },
  },
  {
    situation: "a challenge after a conviction is refused",
    verdict: "AlreadyConvicted",
    async play() {
      const signed = await d.sign(d.liar, lie);
      await caught(signed);
      return d.challenge("second", signed);
    },
  },
  {
    situation: "an answer that nobody challenged in its window is final, however false",
    verdict: "WindowClosed, then UnknownChallenge",
    async play() {
      const signed = await d.sign(d.liar, clearLie);
      await d.waitUntil(Number(signed.answer.until) + 1);
      const late = await d.challenge("auditor", signed);
      const id = await d.idOf("auditor", signed);
      return `${late}, then ${await d.as("auditor", calls.refute(id, signed, clearLie.clear ?? raise()))}`;
    },
  },
  {
    situation: "the last second of the window is in it",
    verdict: AUDITOR,
    async play() {
      const signed = await d.sign(d.liar, lie);
      await d.waitUntil(Number(signed.answer.until));
      await caught(signed);
      return d.verdict(signed);
    },
  },
  {
    situation: "a true answer with another trace than its own loses to whoever asks for it",
    verdict: AUDITOR,
    async play() {
      const signed = await d.sign(d.liar, wrongTrace);
      await caught(signed);
      return d.verdict(signed);
    },
  },
  {
    situation: "the root posted in its last second is in time",
    verdict: "done",
    async play() {
      const signed = await d.sign(d.honest, truth);
      await d.challenge("friend", signed);
      await d.wait(300);
      return d.answer(await d.idOf("friend", signed));
    },
  },
  {
    situation: "the root is due at the first challenge's slot, whatever comes later",
    verdict: "ClockExpired, then convicted, friend paid",
    async play() {
      const signed = await d.sign(d.liar, truth);
      await d.challenge("friend", signed);
      await d.wait(299);
      await d.challenge("auditor", signed);
      await d.wait(2);
      const late = await d.by(d.liar.account.address, calls.post(signed.digest, truth.shown.root));
      await d.as("auditor", calls.timeout([await d.idOf("auditor", signed)]));
      return `${late}, then ${d.verdict(signed)}`;
    },
  },
  {
    situation: "the second lie of a payee with less than a penalty left costs what is left",
    verdict: "10000000, then 5000000",
    async play() {
      await d.startUnbond(d.liar, await d.stakeOf(d.liar));
      await d.wait(d.hold + 1);
      await d.finishUnbond(d.liar);
      await table.stake(d.liar.account.address, 15n * TUSD);
      const taken: bigint[] = [];
      for (const name of ["auditor", "second"]) {
        const before = await d.stakeOf(d.liar);
        await caught(await d.sign(d.liar, lie), name);
        taken.push(before - (await d.stakeOf(d.liar)));
      }
      return taken.join(", then ");
    },
  },
];

describe("an answer", () => {
  it.each(rows)("$situation: $verdict", async ({ play, verdict }) => {
    expect(await play()).toBe(verdict);
  });
});

describe("a key that is withdrawn", () => {
  it.each([
    { when: "a second before it signs", until: (withdrawn: number) => withdrawn + 1_200, challenge: "done" },
    {
      when: "a second before it signs, for one second longer than it answers",
      until: (withdrawn: number) => withdrawn + 1_201,
      challenge: "NotAllowed",
    },
  ])("$when: a challenge is $challenge", async ({ until, challenge }) => {
    await d.world.setOperator(d.liar, true);
    await d.world.setOperator(d.liar, false);
    const withdrawn = d.now;
    await d.wait(1);
    const signed = await d.sign(d.liar, lie, { key: d.liar.operator, until: until(withdrawn) });
    expect(await d.challenge("auditor", signed)).toBe(challenge);
    expect(await d.challenge("second", signed)).toBe(challenge);
  });

  it("answers to its last second for what it signed a second before, and posts no root", async () => {
    await d.world.setOperator(d.liar, true);
    const signed = await d.sign(d.liar, lie, { key: d.liar.operator, until: d.now + d.hold });
    await d.wait(1);
    await d.world.setOperator(d.liar, false);
    await d.waitUntil(Number(signed.answer.until));
    expect(await d.challenge("auditor", signed)).toBe("done");
    expect(await d.by(d.liar.operator.address, calls.post(signed.digest, lie.shown.root))).toBe("NotAllowed");
    const id = await d.idOf("auditor", signed);
    expect(await d.answer(id)).toBe("done");
    await d.as("auditor", calls.refute(id, signed, await d.extract(id)));
    expect(d.verdict(signed)).toBe(AUDITOR);
  });

  it("that never was one binds nobody, with an end of 0 neither", async () => {
    for (const until of [0, d.now + 600]) {
      const signed = await d.sign(d.honest, lie, { key: d.liar.operator, until });
      expect(await d.challenge(`auditor ${until}`, signed)).toBe("NotAllowed");
    }
  });
});

describe("a liar that takes its stake out", () => {
  it("is still caught in the last second of an answer that it signed when it began to", async () => {
    const stake = await d.stakeOf(d.liar);
    const signed = await d.sign(d.liar, lie, { until: d.now + d.hold });
    expect(await d.startUnbond(d.liar, stake)).toBe("done");
    await d.wait(d.hold);
    expect(await d.finishUnbond(d.liar)).toBe("TooEarly");
    expect(await d.challenge("auditor", signed)).toBe("done");
    await d.wait(1);
    expect(await d.finishUnbond(d.liar)).toBe("ChallengesOpen");
    const id = await d.idOf("auditor", signed);
    expect(await d.answer(id)).toBe("done");
    await d.as("auditor", calls.refute(id, signed, await d.extract(id)));
    expect(d.verdict(signed)).toBe(AUDITOR);
    expect(await d.finishUnbond(d.liar)).toBe("done");
    expect(await d.stakeOf(d.liar)).toBe(0n);
    expect(await d.wealthOf(d.liar.account.address)).toBe(stake - d.terms.penalty);
  });

  it("has it in the first second in which no such answer can be challenged", async () => {
    const signed = await d.sign(d.liar, lie, { until: d.now + d.hold });
    await d.startUnbond(d.liar, await d.stakeOf(d.liar));
    await d.wait(d.hold + 1);
    expect(await d.challenge("auditor", signed)).toBe("WindowClosed");
    expect(await d.finishUnbond(d.liar)).toBe("done");
  });
});

describe("a liar that convicts itself", () => {
  it("loses at least half of the penalty and all of the income that it held", async () => {
    const held = 7n * TUSD;
    await d.earn(d.liar, held);
    const heldAfterRoyalty = await d.heldOf(d.liar);
    const signed = await d.sign(d.liar, lie);
    const friend = d.addressOf("friend");
    const before = (await d.stakeOf(d.liar)) + (await d.wealthOf(friend)) + heldAfterRoyalty;
    await caught(signed, "friend");
    await d.as("friend", calls.takeBond(await d.idOf("friend", signed)));
    expect(d.verdict(signed)).toBe("convicted, friend paid");
    const after = (await d.stakeOf(d.liar)) + (await d.wealthOf(friend)) + (await d.heldOf(d.liar));
    // it may be the payer too, whose part is as large as the challenger's
    const ofPayer = d.terms.penalty / 4n;
    expect(before - after - ofPayer).toBe(d.terms.penalty / 2n + heldAfterRoyalty);
  });
});

describe("a conviction", () => {
  const straws = isDeep ? 1_000 : 150;

  it(
    `costs the same behind ${straws} straw challenges as alone`,
    async () => {
      const alone = await d.sign(d.liar, lie);
      await d.challenge("auditor", alone);
      const first = await d.idOf("auditor", alone);
      await d.answer(first);
      const evidence = await d.extract(first);
      const gasAlone = await gasOf(() => calls.refute(first, alone, evidence));

      const signed = await d.sign(d.liar, lie);
      for (let i = 0; i < straws; i++) expect(await d.challenge(`straw ${i}`, signed)).toBe("done");
      await d.challenge("second", signed);
      const id = await d.idOf("second", signed);
      await d.answer(id);
      await d.extract(id);
      const gas = await gasOf(() => calls.refute(id, signed, evidence));
      expect(Math.abs(gas - gasAlone)).toBeLessThan(30_000);
      expect(d.verdict(signed)).toBe("convicted, straw 0 paid");
      // each takes its own bond; nothing of theirs can be taken twice
      for (const i of [0, straws - 1]) {
        const straw = await d.idOf(`straw ${i}`, signed);
        expect(await d.by(d.world.stranger, calls.takeBond(straw))).toBe("done");
        expect(await d.by(d.world.stranger, calls.takeBond(straw))).toBe("NoBond");
      }
    },
    patience,
  );

  it(
    `is not held up by ${straws} straw challenges that have fallen silent`,
    async () => {
      const signed = await d.sign(d.liar, lie);
      for (let i = 0; i < straws; i++) await d.challenge(`straw ${i}`, signed);
      await d.answer(await d.idOf("straw 0", signed));
      await d.wait(200);
      await d.challenge("auditor", signed);
      const id = await d.idOf("auditor", signed);
      const evidence = await d.extract(id);
      await d.wait(101);
      expect(await d.as("auditor", calls.refute(id, signed, evidence))).toBe("ExpiredFirst");
      const ids = await Promise.all(Array.from({ length: straws }, (_, i) => d.idOf(`straw ${i}`, signed)));
      for (let at = 0; at < ids.length; at += 200)
        expect(await d.by(d.world.stranger, calls.timeout(ids.slice(at, at + 200)))).toBe("done");
      expect(await d.as("auditor", calls.refute(id, signed, evidence))).toBe("done");
      expect(d.verdict(signed)).toBe(AUDITOR);
      expect(await d.wealthOf(d.liar.account.address)).toBe((BigInt(straws) * d.terms.bond) / 2n);
    },
    patience,
  );

  async function gasOf(call: () => ReturnType<typeof calls.refute>): Promise<number> {
    const sent = await table.chain.send(d.world.stranger, "court", call());
    d.world.note("evidence", sent);
    if (!sent.ok) throw new Error(sent.error);
    return sent.gasUsed;
  }
});

describe("a move that is a little wrong", () => {
  it("is refused at every place of a game, where the right one is taken; each is taken once", async () => {
    const refused = new Map<string, number>();
    for (const { name, subject } of [
      { name: "tiny", subject: truth },
      { name: "deep", subject: subjectOf("a deep trace", deepJob()) },
    ]) {
      const signed = await d.sign(d.honest, subject);
      await d.challenge(`asker of ${name}`, signed);
      const id = await d.idOf(`asker of ${name}`, signed);
      for (let done = false; !done; ) {
        for (const { what, by, call } of [...(await twists(d.world, id)), ...nonsense(d.world, id)]) {
          expect(await d.by(by, call), `${what}, at ${JSON.stringify(d.world.replay.game(id).position)}`).not.toBe(
            "done",
          );
          refused.set(what, (refused.get(what) ?? 0) + 1);
        }
        const before = d.world.replay.game(id);
        const ask = before.turn === "challenger" ? randomAsk(d.world, id) : undefined;
        const move = ask ? () => d.by(d.addressOf(`asker of ${name}`), calls.ask(id, signed, ask)) : () => d.answer(id);
        done = before.isLeafRevealed;
        if (done) continue;
        const [root] = [d.world.replay.cases.get(signed.digest)?.rootAt];
        expect(await move()).toBe("done");
        // the same again is out of turn
        if (ask) expect(await move()).toBe("NotYourTurn");
        else expect(root === 0 || (await d.answer(id)) === "silent").toBe(true);
      }
    }
    expect(refused.size).toBeGreaterThan(25);
  });
});

describe("a liar that falls silent", () => {
  // root, stages, steps and folds of the loop, and the leaf
  it.each([0, 1, 2, 3, 4].map((moves) => ({ moves })))(
    "after $moves moves is convicted a second after its clock",
    async ({ moves }) => {
      const signed = await d.sign(d.liar, wrongTrace);
      await d.challenge("auditor", signed);
      const id = await d.idOf("auditor", signed);
      for (let move = 0; move < moves; move++) {
        expect(await d.answer(id)).toBe("done");
        await d.go(id);
      }
      expect(d.verdict(signed)).toBe("stands");
      await d.waitUntil(d.world.replay.deadline(id));
      expect(await d.as("auditor", calls.timeout([id]))).toBe("NothingToEnd");
      await d.wait(1);
      expect(await d.answer(id)).toBe("silent");
      await d.go(id);
      expect(d.verdict(signed)).toBe(AUDITOR);
      expect(d.world.replay.silent.has(signed.digest)).toBe(true);
    },
  );
});

describe("somebody who challenges the truth", () => {
  it("loses its bond a second after its clock, half of it to the payee, and nothing else of anybody's moves", async () => {
    const signed = await d.sign(d.honest, truth);
    await d.challenge("friend", signed);
    const id = await d.idOf("friend", signed);
    await d.answer(id);
    await d.wait(300);
    expect(await d.by(d.honest.account.address, calls.timeout([id]))).toBe("NothingToEnd");
    await d.wait(1);
    expect(await d.by(d.honest.account.address, calls.timeout([id]))).toBe("done");
    expect(await d.wealthOf(d.addressOf("friend"))).toBe(PURSE - d.terms.bond);
    expect(await d.wealthOf(d.honest.account.address)).toBe(d.terms.bond / 2n);
    expect(await d.stakeOf(d.honest)).toBe(PURSE);
  });
});

function firstOf<T>(all: Iterable<T>): T {
  for (const each of all) return each;
  throw new Error("there is none");
}

function raise(): never {
  throw new Error("a clear lie has evidence");
}
