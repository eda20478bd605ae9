import { leafLength, leavesPosition } from "@foldmark/machine";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import fc from "fast-check";
import type { Hex } from "viem";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Look } from "../src/disputes/player.ts";
import type { DisputeTrace } from "../src/disputes/traces/disputeTrace.ts";
import type { TreeSource } from "../src/disputes/tree/treeSource.ts";
import {
  aFalseJob,
  aPlayer,
  aTrueJob,
  type Disputes,
  forgedTrace,
  type Job,
  openDisputes,
  traceOf,
} from "./disputeBench.ts";

let disputes: Disputes;
let blank: Awaited<ReturnType<Disputes["chain"]["networkHelpers"]["takeSnapshot"]>>;
beforeAll(async () => {
  disputes = await openDisputes();
});
beforeEach(async () => {
  blank = await disputes.chain.networkHelpers.takeSnapshot();
});
afterEach(() => blank.restore());
afterAll(() => disputes?.[Symbol.asyncDispose]());

type Challenger = Awaited<ReturnType<Disputes["challenger"]>>;
type Open = { signed: Awaited<ReturnType<Disputes["answer"]>>; id: Hex; challenger: Challenger };

/** An answer and an open challenge of it. */
async function challenged(job: Job): Promise<Open> {
  const signed = await disputes.answer(job);
  return { signed, ...(await alsoChallenged(signed, 2)) };
}

async function alsoChallenged(signed: Open["signed"], n: number): Promise<Omit<Open, "signed">> {
  const challenger = await disputes.challenger(n);
  await challenger.moves.approve();
  await challenger.moves.challenge(signed);
  return { challenger, id: await disputes.court.challengeId(signed.digest, challenger.account.address) };
}

type Traces = { payee: DisputeTrace; challenger: DisputeTrace };

/** Each look is a new player's: what a process knows when it is started, and nothing else. */
const looks = ({ signed, id, challenger }: Open, own: Traces) => ({
  payee: () => aPlayer(disputes, { own: own.payee, signed, id, sender: disputes.payeeSender }).lookAsPayee(),
  challenger: () =>
    aPlayer(disputes, { own: own.challenger, signed, id, sender: challenger.sender }).lookAsChallenger(),
});

const MOST_ROUNDS = 40;

/** Both seats in turn, until one sees the end. */
async function play(open: Open, own: Traces): Promise<Look[]> {
  const { payee, challenger } = looks(open, own);
  const seen: Look[] = [];
  for (let round = 0; round < MOST_ROUNDS; round++)
    for (const look of [await payee(), await challenger()]) {
      seen.push(look);
      if (look.status === "over" || look.status === "conceded") return seen;
    }
  throw new Error("the game has no end");
}

const movesOf = (seen: readonly Look[]) => seen.flatMap(({ moved }) => (moved ? [moved.move] : []));
const turnOf = async ({ id }: Open) => (await disputes.court.game(id)).turn;
const pass = (seconds: bigint) => disputes.chain.networkHelpers.time.increase(seconds);
const clocks = () => disputes.court.terms;

const stakeOfPayee = () =>
  disputes.chain.client.readContract({
    ...{ address: disputes.market.deployment.contracts.channels, abi: paymentChannelsAbi },
    ...{ functionName: "stakeOf", args: [disputes.payee.address] },
  });

describe("a liar's answer", () => {
  it("is refuted at once where the payee commits to its own false trace", async () => {
    const job = aFalseJob();
    const open = await challenged(job);
    const seen = await play(open, { payee: traceOf(job, job.honest), challenger: traceOf(job, job.honest) });
    expect(movesOf(seen)).toEqual(["post", "refute"]);
    expect(await turnOf(open)).toBe("won");
  });

  it("is refuted with the element that was forged", async () => {
    const job = aFalseJob();
    const open = await challenged(job);
    const seen = await play(open, { payee: traceOf(job, forgedTrace(job)), challenger: traceOf(job, job.honest) });
    expect(movesOf(seen)).toEqual(["post", "ask", "reveal", "ask", "revealLeaf", "refute"]);
    expect(await turnOf(open)).toBe("won");
    expect((await stakeOfPayee()).amount).toBe(200_000_000n - disputes.market.terms.penalty);
  });

  it("is refuted wherever in the trace a byte was changed to make the lie fit", async () => {
    const job = aFalseJob();
    const { program } = job;
    const places = program.stages.flatMap(({ folds, order }, stage) =>
      folds.map((_, fold) => ({ stage, fold, order })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...places.slice(0, -1)),
        ...([fc.nat(), fc.nat(), fc.nat()] as const),
        async ({ stage, fold, order }, step, leaf, byte) => {
          const before = await disputes.chain.networkHelpers.takeSnapshot();
          const of = { stage, fold, t: order === 2 ? step % job.job.T : 0 };
          const list = leavesPosition(program, of, job.job.T);
          const index = leaf % list.length;
          const bytes = job.honest.leaf(of, index);
          const at = byte % leafLength({ ...list, height: 0, index });
          bytes[at] = (bytes[at] ?? 0) ^ 1;
          const open = await challenged(job);
          await play(open, {
            payee: traceOf(job, forgedTrace(job, [{ of, index, bytes }])),
            challenger: traceOf(job, job.honest),
          });
          expect(await turnOf(open)).toBe("won");
          await before.restore();
        },
      ),
      { numRuns: 12 },
    );
  });

  it.each([
    { node: "shows its tree", moves: ["post", "refute"], wrong: 0 },
    { node: "lies about its tree", moves: ["post", "ask", "reveal", "ask", "revealLeaf", "refute"], wrong: 1 },
    { node: "shows only the beginning", moves: ["post", "ask", "reveal", "ask", "revealLeaf", "refute"], wrong: 2 },
    {
      node: "moves a byte to the next node",
      moves: ["post", "ask", "reveal", "ask", "revealLeaf", "refute"],
      wrong: 3,
    },
  ])("is refuted where the payee's node $node", async ({ moves, wrong }) => {
    const job = aFalseJob();
    const open = await challenged(job);
    const tree = traceOf(job, forgedTrace(job));
    let asked = 0;
    const source: TreeSource = {
      async nodes(under) {
        const nodes = await tree.nodes(under, under.height);
        if (wrong === 1) nodes[0] = new Uint8Array(32);
        if (wrong === 2 && asked++ > 0) throw new Error("no more");
        const [left = new Uint8Array(), right = new Uint8Array()] = nodes;
        if (wrong === 3) nodes.splice(0, 2, left.slice(0, -1), new Uint8Array([...left.slice(-1), ...right]));
        return { position: under, depth: under.height, nodes };
      },
      async leaf(position) {
        if (wrong === 2) throw new Error("no more");
        const { stage, fold, t, index } = position;
        return { position, data: await tree.leaf({ stage, fold, t }, index) };
      },
    };
    const own = traceOf(job, job.honest);
    const challenger = aPlayer(disputes, { own, ...open, sender: open.challenger.sender, source });
    const { payee } = looks(open, { payee: tree, challenger: own });
    const seen: Look[] = [];
    for (let round = 0; round < MOST_ROUNDS && (await turnOf(open)) !== "won"; round++)
      seen.push(await payee(), await challenger.lookAsChallenger());
    expect(movesOf(seen)).toEqual(moves);
  });

  it("is convicted by the payee's silence, at the first move and in the middle", async () => {
    const job = aFalseJob();
    for (const moves of [0, 2]) {
      const before = await disputes.chain.networkHelpers.takeSnapshot();
      const open = await challenged(job);
      const { payee, challenger } = looks(open, {
        payee: traceOf(job, forgedTrace(job)),
        challenger: traceOf(job, job.honest),
      });
      for (let move = 0; move < moves; move++) await (move % 2 === 0 ? payee() : challenger());
      expect((await challenger()).status).toBe("waiting");
      await pass(clocks().payeeClockSeconds + 1n);
      expect((await challenger()).moved?.move).toBe("timeout");
      expect(await turnOf(open)).toBe("won");
      await before.restore();
    }
  });

  it("is convicted once, whoever of two challengers is first, and both bonds come back", async () => {
    const job = aFalseJob();
    const first = await challenged(job);
    const second = { signed: first.signed, ...(await alsoChallenged(first.signed, 3)) };
    const own = { payee: traceOf(job, forgedTrace(job)), challenger: traceOf(job, job.honest) };
    const seats = [looks(first, own), looks(second, own)];
    for (let round = 0; round < MOST_ROUNDS && (await turnOf(first)) !== "won"; round++)
      for (const { payee, challenger } of seats) {
        await payee();
        await challenger();
      }
    expect([await turnOf(first), await turnOf(second)]).toEqual(["won", "won"]);
    for (const { challenger, id } of [first, second]) {
      await challenger.moves.takeBond(id);
      expect((await disputes.court.creditsOf(challenger.account.address)).court).toBe(clocks().bond);
    }
    expect((await disputes.court.creditsOf(first.challenger.account.address)).market).toBe(
      disputes.market.terms.penalty / 4n,
    );
    expect((await disputes.court.creditsOf(second.challenger.account.address)).market).toBe(0n);
  });

  it("is convicted though a friend of the liar challenged first and fell silent", async () => {
    const job = aFalseJob();
    const friend = await challenged(job);
    await looks(friend, { payee: traceOf(job, forgedTrace(job)), challenger: traceOf(job, job.honest) }).payee();
    await pass(clocks().challengerClockSeconds - 30n);
    const open = { signed: friend.signed, ...(await alsoChallenged(friend.signed, 3)) };
    await pass(60n);
    const seen = await play(open, { payee: traceOf(job, forgedTrace(job)), challenger: traceOf(job, job.honest) });
    expect(movesOf(seen).at(-1)).toBe("refute");
    expect([await turnOf(friend), await turnOf(open)]).toEqual(["lost", "won"]);
  });

  it("is convicted by silence though a friend of the liar challenged first and fell silent", async () => {
    const job = aFalseJob();
    const friend = await challenged(job);
    const own = { payee: traceOf(job, forgedTrace(job)), challenger: traceOf(job, job.honest) };
    await looks(friend, own).payee();
    const open = { signed: friend.signed, ...(await alsoChallenged(friend.signed, 3)) };
    expect((await looks(open, own).challenger()).moved?.move).toBe("ask");
    await pass(clocks().payeeClockSeconds + clocks().challengerClockSeconds + 1n);
    expect((await looks(open, own).challenger()).moved?.move).toBe("timeout");
    expect([await turnOf(friend), await turnOf(open)]).toEqual(["lost", "won"]);
  });

  it("is refuted where the payee's node keeps its challenger waiting for an answer", async () => {
    const job = aFalseJob();
    const open = await challenged(job);
    const tree = traceOf(job, forgedTrace(job));
    const own = traceOf(job, job.honest);
    const never = new Promise<never>(() => undefined);
    const source: TreeSource = { nodes: () => never, leaf: () => never };
    const { court } = disputes;
    const impatient = { ...court, terms: { ...court.terms, challengerClockSeconds: 1n } };
    const sender = open.challenger.sender;
    const challenger = aPlayer({ ...disputes, court: impatient }, { own, ...open, sender, source });
    await looks(open, { payee: tree, challenger: own }).payee();
    expect((await challenger.lookAsChallenger()).moved?.move).toBe("ask");
  });
});

describe("an honest answer", () => {
  it("outlasts a challenger who asks for whatever it likes, and brings half of its bond", async () => {
    const job = aTrueJob();
    const open = await challenged(job);
    const hostile = traceOf(
      job,
      forgedTrace(job, [{ of: { stage: 1, fold: 0, t: 0 }, index: 3, bytes: new Uint8Array(1024) }]),
    );
    const { payee, challenger } = looks(open, { payee: traceOf(job, job.honest), challenger: hostile });
    const seen: Look[] = [];
    for (let round = 0; round < MOST_ROUNDS; round++) {
      seen.push(await payee());
      const asked = await challenger().catch((error) => error);
      if (asked instanceof Error) {
        expect(asked).toMatchObject({ code: "chain.reverted", details: { error: "NotRefuted" } });
        break;
      }
    }
    expect(movesOf(seen)).toEqual(["post", "reveal", "reveal", "revealLeaf"]);
    await pass(clocks().challengerClockSeconds + 1n);
    expect((await payee()).moved?.move).toBe("timeout");
    expect(await turnOf(open)).toBe("lost");
    expect((await disputes.court.creditsOf(disputes.payee.address)).court).toBe(clocks().bond / 2n);
    expect((await stakeOfPayee()).amount).toBe(200_000_000n);
  });

  it("is not challenged any further by who finds it true", async () => {
    const job = aTrueJob();
    const open = await challenged(job);
    const seen = await play(open, { payee: traceOf(job, job.honest), challenger: traceOf(job, job.honest) });
    expect(seen.at(-1)?.status).toBe("conceded");
    expect(movesOf(seen)).toEqual(["post"]);
  });
});

describe("a chain that is reorganised", () => {
  it("takes moves back, which are made again", async () => {
    const job = aFalseJob();
    const open = await challenged(job);
    const own = { payee: traceOf(job, forgedTrace(job)), challenger: traceOf(job, job.honest) };
    // players that live on, and so remember what is no more
    const payee = aPlayer(disputes, { own: own.payee, ...open, sender: disputes.payeeSender });
    const challenger = aPlayer(disputes, { own: own.challenger, ...open, sender: open.challenger.sender });
    await payee.lookAsPayee();
    const before = await disputes.chain.networkHelpers.takeSnapshot();
    await challenger.lookAsChallenger();
    await payee.lookAsPayee();
    await challenger.lookAsChallenger();
    await before.restore();
    const seen: Look[] = [];
    for (let round = 0; round < MOST_ROUNDS && (await turnOf(open)) !== "won"; round++)
      seen.push(await challenger.lookAsChallenger(), await payee.lookAsPayee());
    expect(movesOf(seen)).toEqual(["ask", "reveal", "ask", "revealLeaf", "refute"]);
  });
});
