// What people do at the court that no honest one would: early, late, twice, in another's name, by the dozen.
import { CommittedTensors, type Refutation, refutationOf } from "@foldmark/machine";
import { type ForgedLeaf, forge } from "@foldmark/machine/testing";
import { type CourtMoves, courtMoves, localTrace, Player, type Sender } from "@foldmark/node";
import { answerDigest, domainOf } from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import { createLogger } from "@foldmark/service";
import { type Hex, parseGwei } from "viem";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type CourtGames, openCourtGames } from "../support/courtGames.ts";
import { type Recorded, recorded, refusalOf } from "../support/moveRecorder.ts";
import { payersVerdict } from "../support/payer.ts";
import { type Person, STAKE } from "./lies/court.ts";
import type { Evidence } from "./lies/evidence.ts";
import { MODELS } from "./lies/models.ts";
import type { PayeeSeat } from "./lies/payee.ts";
import { saidTrue, traceOf } from "./lies/told.ts";

const FLOOD = 10;
const STRAWS = 24;
/** Limits of a starved refutation: above what its bytes alone cost, up to more than any of these takes. */
const [LEAST_GAS, GAS_STEP, MOST_GAS] = [150_000n, 10_000n, 1_000_000n];
const log = createLogger({ name: "conduct", level: "error" });

let games: CourtGames;
beforeAll(async () => {
  games = await openCourtGames();
});
afterAll(() => games?.[Symbol.asyncDispose]());

/** Starts payees, whose answers can be challenged from now on for as long as a payer accepts. */
async function seated(...seats: PayeeSeat[]) {
  const payees = await games.payees(seats.map((each) => ({ untilHold: true, ...each })));
  const held = (name = seats[0]?.name ?? ""): Evidence => {
    const found = payees.signed.get(name);
    if (!found) throw new Error(`nobody has signed ${name}`);
    return found;
  };
  return { ...payees, held, [Symbol.asyncDispose]: () => payees.kill() };
}

const digestOf = ({ answer }: Evidence) => answerDigest(domainOf(games.deployment), answer);
const gameOf = (id: Hex) => games.room.court.game(id);
const disputeOf = (evidence: Evidence) => games.room.court.dispute(digestOf(evidence));
const clocks = () => games.room.court.terms;
const stakeOf = async ({ answer }: Evidence) =>
  games.client.readContract({
    ...{ address: games.deployment.contracts.channels, abi: paymentChannelsAbi },
    ...{ functionName: "stakeOf", args: [answer.payee] },
  });

async function withBond(name: string): Promise<Person> {
  const person = await games.room.person(name);
  await person.mint(clocks().bond);
  await person.moves.approve();
  return person;
}

/** Somebody's challenge of an answer. */
async function challenged(evidence: Evidence, name: string): Promise<{ id: Hex; by: Person }> {
  const by = await withBond(name);
  await by.moves.challenge(evidence);
  return { id: await games.room.court.challengeId(digestOf(evidence), by.account.address), by };
}

type Shown = { forgesOk?: boolean; changes?: readonly ForgedLeaf[] };

/** The trace of what was signed, as computing it again gives it, or with what somebody has changed in it. */
async function ownTrace({ ordered, job }: Evidence, { forgesOk = false, changes = [] }: Shown = {}) {
  const model = await MODELS[ordered.model]();
  const { program, constants } = model;
  const honest = await traceOf(model, job);
  const changed = changes.length > 0 ? forge(honest, { program, changes }) : honest;
  const trace = forgesOk ? saidTrue(model, changed) : changed;
  const source = (i: number) => constants[i] ?? new Uint8Array();
  return { program, constants, trace, own: localTrace(trace, { program, constants: source, job }) };
}

async function seat(evidence: Evidence, id: Hex, moves: CourtMoves, shown: Shown = {}) {
  const { program, own } = await ownTrace(evidence, shown);
  const { court } = games.room;
  return new Player({ id, fromBlock: 0n, own, preimage: evidence.preimage, program }, { court, moves, log });
}

/** The refutation that a challenger arrives at, held back. */
async function refutationIn(evidence: Evidence, { id, by }: { id: Hex; by: Person }): Promise<Refutation> {
  let found: Refutation | undefined;
  const moves: CourtMoves = {
    ...by.moves,
    refute(_, __, refutation) {
      found = refutation;
      return Promise.reject(new Error("held back"));
    },
  };
  const player = await seat(evidence, id, moves);
  const looked = () =>
    player.lookAsChallenger().catch((error) => {
      if (!found) throw error;
    });
  await expect.poll(() => looked().then(() => found), { timeout: 120_000, interval: 100 }).toBeDefined();
  if (!found) throw new Error("there is no refutation");
  return found;
}

/** What a call would be refused with, by name. */
const refusal = (evidence: Evidence, by: Person, call: (moves: CourtMoves, digest: Hex) => Promise<unknown>) =>
  refusalOf(call(by.moves, digestOf(evidence)));

/** Moves with so much gas each, by an endpoint that says it is enough. */
function untried(gas: bigint, sender: Sender): CourtMoves {
  const { court } = games.room;
  const { chain } = court.market;
  const client = { ...chain.client, estimateContractGas: async () => (gas * 4n) / 5n };
  return courtMoves({ ...court, market: { ...court.market, chain: { ...chain, client } } }, sender);
}

describe("an Answer that was sent before", () => {
  it("is refused by its payer, whose voucher has another ceiling", async () => {
    await using payee = await seated({ name: "replayed", lie: "honestSimulation" });
    expect(await payersVerdict(games.room, payee.held())).toBe("accepted");
    expect(await payersVerdict(games.room, payee.held(), { earlier: 5n })).toBe("wrong_ceiling");
  });
});

describe("moves at the wrong time", () => {
  it("change nothing: each again at once, all those before it again, and all of them after the end", async () => {
    await using process = await seated({ name: "by hand", lie: "anotherResult", moves: 0 });
    const evidence = process.held();
    const payee = await games.room.person("by hand");
    const by = await withBond("challenger by hand");
    const made: Recorded[] = [];
    const refusals: string[] = [];
    const id = await games.room.court.challengeId(digestOf(evidence), by.account.address);
    const again = async (move: Recorded) => {
      made.push(move);
      const before = { game: await gameOf(id), dispute: await disputeOf(evidence) };
      for (const each of made) refusals.push(`${each.move}: ${await refusalOf(each.again())}`);
      expect({ game: await gameOf(id), dispute: await disputeOf(evidence) }).toEqual(before);
    };
    const moves = recorded(by.moves, again);
    const early = await refusal(evidence, payee, (own, digest) => own.post(digest, new Uint8Array(32)));
    expect(early).toBe("UnknownAnswer"); // nobody has challenged it
    await moves.challenge(evidence);
    const [challenger, payeesSeat] = [
      await seat(evidence, id, moves),
      await seat(evidence, id, recorded(payee.moves, again), { forgesOk: true }),
    ];
    expect(await refusalOf(by.moves.timeout([id]))).toBe("NothingToEnd");
    while ((await gameOf(id)).turn !== "won") {
      await payeesSeat.lookAsPayee();
      await challenger.lookAsChallenger();
    }
    await recorded(by.moves, again).takeBond(id);
    expect(made.map(({ move }) => move)).toEqual([
      ...["challenge", "post", "ask", "reveal", "ask", "revealLeaf", "refute", "takeBond"],
    ]);
    expect([...new Set(refusals)].sort()).toMatchInlineSnapshot(`
      [
        "ask: AlreadyConvicted",
        "ask: BadPath",
        "ask: LeafIsRevealed",
        "ask: NotYourTurn",
        "challenge: AlreadyChallenged",
        "challenge: AlreadyConvicted",
        "post: AlreadyConvicted",
        "post: RootPosted",
        "refute: AlreadyConvicted",
        "reveal: AlreadyConvicted",
        "reveal: BadLength",
        "reveal: NotYourTurn",
        "revealLeaf: AlreadyConvicted",
        "revealLeaf: NotYourTurn",
        "takeBond: NoBond",
      ]
    `);
    const late = await withBond("late challenger");
    expect(await refusal(evidence, late, (own) => own.challenge(evidence))).toBe("AlreadyConvicted");
    expect((await stakeOf(evidence)).amount).toBe(STAKE - games.room.market.terms.penalty);
  });
});

describe("a refutation that a stranger has copied", () => {
  it("pays who opened first, and the challenge that the stranger opened in a hurry gets its bond back", async () => {
    await using process = await seated({ name: "copied", lie: "anotherResult" });
    const evidence = process.held();
    const open = await challenged(evidence, "challenger of copied");
    const refutation = await refutationIn(evidence, open);
    const stranger = await challenged(evidence, "front runner");
    await stranger.by.moves.refute(stranger.id, evidence.preimage, refutation);
    expect(await refusalOf(open.by.moves.refute(open.id, evidence.preimage, refutation))).toBe("AlreadyConvicted");
    const credit = async ({ by, id }: typeof open) => {
      await by.moves.takeBond(id);
      return games.room.court.creditsOf(by.account.address);
    };
    const { penalty } = games.room.market.terms;
    expect(await credit(open)).toEqual({ court: clocks().bond, market: penalty / 4n });
    expect(await credit(stranger)).toEqual({ court: clocks().bond, market: 0n });
  });
});

describe("a refutation that is overtaken in its block", () => {
  /** Moves for which more is paid than for anybody's, sent untried. */
  function hurried({ sender }: Person): CourtMoves {
    const fees = { maxPriorityFeePerGas: parseGwei("90"), maxFeePerGas: parseGwei("200") };
    return untried(2_000_000n, {
      ...sender,
      send: (doing, write, options) =>
        sender.send(
          doing,
          (wallet) =>
            write({ ...wallet, writeContract: (call) => wallet.writeContract({ ...call, ...fees } as typeof call) }),
          options,
        ),
    });
  }

  it("by a copy that pays more has its reward all the same, and its sender sees the end", async () => {
    await using process = await seated({ name: "overtaken", lie: "anotherResult" });
    const evidence = process.held();
    const open = await challenged(evidence, "challenger of overtaken");
    const refutation = await refutationIn(evidence, open);
    const player = await seat(evidence, open.id, open.by.moves);
    const { test } = games.anvil;
    const pending = (count: number) =>
      expect.poll(async () => (await test.getTxpoolStatus()).pending, { timeout: 60_000 }).toBe(count);
    onTestFinished(() => test.setAutomine(true));
    await test.setAutomine(false);
    const own = player.lookAsChallenger();
    await pending(1);
    const copy = hurried(await games.room.person("copyist")).refute(open.id, evidence.preimage, refutation);
    await pending(2);
    await test.setAutomine(true);
    await test.mine({ blocks: 1 });
    expect((await copy).move).toBe("refute");
    expect(await own).toMatchObject({ status: "waiting" });
    expect((await player.lookAsChallenger()).game.turn).toBe("won");
    await open.by.moves.takeBond(open.id);
    const { penalty } = games.room.market.terms;
    const paid = { court: clocks().bond, market: penalty / 4n };
    expect(await games.room.court.creditsOf(open.by.account.address)).toEqual(paid);
  });
});

describe("a root", () => {
  it("is taken from nobody but the payee, or a wrong one would convict the honest", async () => {
    await using process = await seated({ name: "framed", lie: "honestSimulation", moves: 0 });
    const evidence = process.held();
    const { id, by } = await challenged(evidence, "challenger of framed");
    const payee = await games.room.person("framed");
    const operator = await games.room.person("operator of framed");
    await payee.setOperator(operator.account.address, true);
    await payee.setOperator(operator.account.address, false);
    for (const who of [by, operator, await games.room.person("stranger")])
      expect(await refusal(evidence, who, (own, digest) => own.post(digest, new Uint8Array(32)))).toBe("NotAllowed");
    const { own } = await ownTrace(evidence);
    await payee.moves.post(digestOf(evidence), own.root);
    await games.pass(Number(clocks().challengerClockSeconds) + 1);
    await by.moves.timeout([id]);
    expect((await gameOf(id)).turn).toBe("lost");
    expect((await stakeOf(evidence)).amount).toBe(STAKE);
  });
});

describe("a reveal", () => {
  it("may come from a stranger, who shows what the root holds in the place of a payee that cannot", async () => {
    await using process = await seated({ name: "shown by a stranger", lie: "honestSimulation", moves: 1 });
    const evidence = process.held();
    const { id, by } = await challenged(evidence, "prober");
    const { trace } = await ownTrace(evidence);
    const of = { stage: 0, fold: 0, t: 1 };
    const bytes = trace.leaf(of, 0).map((byte) => byte ^ 1);
    const prober = await seat(evidence, id, by.moves, { changes: [{ of, index: 0, bytes }] });
    const stranger = await seat(evidence, id, (await games.room.person("kind stranger")).moves);
    const shown: string[] = [];
    const looks = async () => {
      const refused = await refusalOf(prober.lookAsChallenger());
      if ((await gameOf(id)).turn === "payee") shown.push((await stranger.lookAsPayee()).moved?.move ?? "nothing");
      return refused;
    };
    await expect.poll(looks, { timeout: 60_000, interval: 100 }).toBe("NotRefuted");
    expect(shown.filter((move) => move !== "nothing").at(-1)).toBe("revealLeaf");
    expect((await stakeOf(evidence)).amount).toBe(STAKE);
  });
});

describe("a refutation without enough gas", () => {
  it("decides nothing about a lie, whatever it runs out in", async () => {
    await using process = await seated({ name: "starved", lie: "anotherResult" });
    const evidence = process.held();
    const open = await challenged(evidence, "challenger of starved");
    const refutation = await refutationIn(evidence, open);
    let starvedCalls = 0;
    for (let gas = LEAST_GAS; (await gameOf(open.id)).turn !== "won"; gas += GAS_STEP, starvedCalls++) {
      const before = await gameOf(open.id);
      const refused = await refusalOf(untried(gas, open.by.sender).refute(open.id, evidence.preimage, refutation));
      if (refused === "done") expect((await gameOf(open.id)).turn).toBe("won");
      else expect({ gas, refused, game: await gameOf(open.id) }).toEqual({ gas, refused: "reverted", game: before });
    }
    expect(starvedCalls).toBeGreaterThan(8);
  });

  it("never convicts the honest", async () => {
    await using process = await seated({ name: "starved honest", lie: "honestSimulation" });
    const evidence = process.held();
    const open = await challenged(evidence, "challenger of starved honest");
    await expect.poll(async () => (await disputeOf(evidence)).traceRoot, { timeout: 60_000 }).toBeDefined();
    const { program, constants, trace } = await ownTrace(evidence);
    const disputed = { ...evidence.job, constants: CommittedTensors.of(constants) };
    const stage = program.stages.length - 2;
    const refutation = refutationOf(program, disputed, { stage, fold: 0, t: 0, r: 0, c: 0, j: 0 }, { trace });
    expect(await refusalOf(open.by.moves.refute(open.id, evidence.preimage, refutation))).toBe("NotRefuted");
    for (let gas = LEAST_GAS; gas < MOST_GAS; gas += 5n * GAS_STEP)
      expect(await refusalOf(untried(gas, open.by.sender).refute(open.id, evidence.preimage, refutation))).toBe(
        "reverted",
      );
    expect((await gameOf(open.id)).turn).toBe("challenger");
  });
});

describe("a liar's friend", () => {
  it("who challenged first and lost on purpose has whitewashed nothing, and has paid a bond for it", async () => {
    await using process = await seated({ name: "befriended", lie: "anotherResult" });
    const evidence = process.held();
    const friend = await challenged(evidence, "friend");
    await expect.poll(async () => (await gameOf(friend.id)).turn, { timeout: 60_000 }).toBe("challenger");
    await games.pass(Number(clocks().challengerClockSeconds) + 1);
    await expect.poll(async () => (await gameOf(friend.id)).turn, { timeout: 60_000 }).toBe("lost");
    const auditor = games.challenger("auditor", [evidence]);
    await auditor.ended;
    expect(auditor.lines.at(-1)).toMatchObject({ event: "outcome", result: "convicted" });
    const { penalty } = games.room.market.terms;
    expect(auditor.lines.at(-1)?.paid).toBe((clocks().bond + penalty / 4n).toString());
    expect(await refusalOf(friend.by.moves.takeBond(friend.id))).toBe("NoBond");
  });
});

describe("a challenger who opened first and fell silent", () => {
  it.each([
    { kind: "evidence from the trace", lie: "anotherPromptClaimed" },
    { kind: "a length that no program has", lie: "zeroSteps" },
  ] as const)("is taken off the list by the next, who has $kind and gets the reward", async ({ lie }) => {
    await using process = await seated({ name: `slept on: ${lie}`, lie, moves: 1 });
    const evidence = process.held();
    const sleeper = await challenged(evidence, `sleeper on ${lie}`);
    await expect.poll(async () => (await gameOf(sleeper.id)).turn, { timeout: 60_000 }).toBe("challenger");
    await games.pass(Number(clocks().challengerClockSeconds) + 1);
    const auditor = games.challenger("auditor after sleeper", [evidence]);
    await auditor.ended;
    const moves = auditor.lines.filter(({ event }) => event === "moved").map(({ move }) => move);
    expect(moves).toEqual(["approve", "challenge", "refute", "takeBond", "withdraw", "withdrawReward"]);
    expect((await gameOf(sleeper.id)).turn).toBe("lost");
  });
});

describe("straw challenges before a conviction", () => {
  it("make it no dearer, and get their bonds back", async () => {
    const names = ["alone", "among straws"];
    await using process = await seated(
      ...names.map((name) => ({ name, lie: "anotherPromptClaimed" as const, moves: 1 })),
    );
    const gas: bigint[] = [];
    for (const [i, name] of names.entries()) {
      const evidence = process.held(name);
      const first = await challenged(evidence, `first of ${name}`);
      const straws = await Promise.all(
        Array.from({ length: i * STRAWS }, (_, straw) => challenged(evidence, `straw ${straw}`)),
      );
      const refutation = await refutationIn(evidence, first);
      gas.push((await first.by.moves.refute(first.id, evidence.preimage, refutation)).gasUsed);
      for (const { id, by } of straws) expect(await refusalOf(by.moves.takeBond(id))).toBe("done");
    }
    const [alone = 0n, among = 0n] = gas;
    expect(Math.abs(Number(among - alone))).toBeLessThan(5_000); // other digests have other numbers of zero bytes
  });
});

describe("a liar who convicts himself", () => {
  it("to save his held income loses all of it", async () => {
    await using process = await seated({ name: "own judge", lie: "anotherResult", moves: 0 });
    const evidence = process.held();
    const { payee } = evidence.answer;
    const income = 50_000_000n;
    const { channels } = games.deployment.contracts;
    const read = { address: channels, abi: paymentChannelsAbi } as const;
    const customer = await games.room.person("customer");
    await customer.mint(income);
    const asset = await games.registerModel();
    await customer.pay(payee, { model: asset, amount: income });
    const incomeOf = () => games.client.readContract({ ...read, functionName: "incomeOf", args: [payee] });
    expect((await incomeOf())[0]).toBeGreaterThan(income / 2n); // but for the royalty
    const ownFriend = await challenged(evidence, "own friend");
    await games.pass(Number(clocks().payeeClockSeconds) + 1);
    await ownFriend.by.moves.timeout([ownFriend.id]);
    const { penalty } = games.room.market.terms;
    expect(await incomeOf()).toEqual([0n, 0n]);
    expect((await games.room.court.creditsOf(ownFriend.by.account.address)).market).toBe(penalty / 4n);
    const { channelId } = evidence.answer;
    expect(await games.client.readContract({ ...read, functionName: "compensationOf", args: [channelId] })).toBe(
      penalty / 4n,
    );
    expect((await stakeOf(evidence)).amount).toBe(STAKE - penalty);
  });
});

describe("a flood against an honest payee", () => {
  it("of challenges of one answer and of many, each asking down to a leaf, costs the flooders their bonds", async () => {
    const many = Array.from({ length: FLOOD }, (_, i) => `flooded ${i}`);
    await using process = await seated(
      { name: "flooded", lie: "honestSimulation" },
      ...many.map((name) => ({ name, key: "flooded", lie: "honestSimulation" as const })),
    );
    const targets = [...Array.from({ length: FLOOD }, () => "flooded"), ...many];
    const { program, trace } = await ownTrace(process.held());
    await Promise.all(
      targets.map(async (name, i) => {
        const evidence = process.held(name);
        const { id, by } = await challenged(evidence, `flooder ${i}`);
        const of = { stage: i % (program.stages.length - 1), fold: 0, t: 0 };
        const bytes = trace.leaf(of, 0).map((byte, at) => (at === 0 ? byte ^ 1 : byte));
        const player = await seat(evidence, id, by.moves, { changes: [{ of, index: 0, bytes }] });
        const look = () => refusalOf(player.lookAsChallenger());
        await expect.poll(look, { timeout: 200_000, interval: 250 }).toBe("NotRefuted");
      }),
    );
    await games.pass(Number(clocks().challengerClockSeconds) + 1);
    const ends = () => process.lines.filter(({ event }) => event === "over");
    await process.until(() => ends().length === targets.length);
    expect(new Set(ends().map(({ turn }) => turn))).toEqual(new Set(["lost"]));
    const { answer } = process.held();
    expect((await stakeOf(process.held())).amount).toBe(STAKE);
    const { court } = await games.room.court.creditsOf(answer.payee);
    expect(court).toBe((BigInt(targets.length) * clocks().bond) / 2n);
  });
});

describe("a stake that is on its way out", () => {
  it("stays for a lie that is challenged in the last second of its answer", async () => {
    await using process = await seated(
      { name: "leaving", lie: "anotherResult", moves: 0, unbonds: "after" },
      { name: "leaving unseen", lie: "anotherResult", moves: 0 },
    );
    const evidence = process.held("leaving");
    const { releasedAt } = await stakeOf(evidence);
    const last = evidence.answer.until;
    // signed for as long as a payer accepts, and unbonded no earlier than in the same second
    expect(BigInt(releasedAt)).toBeGreaterThan(last);
    const payee = await games.room.person("leaving");
    const by = await withBond("challenger in the last second");
    const late = await withBond("challenger a second late");
    const at = (second: bigint) => games.anvil.test.setNextBlockTimestamp({ timestamp: second });
    await at(last);
    await by.moves.challenge(evidence);
    const opened = await games.client.getBlock();
    expect(opened.timestamp).toBe(last);
    await at(BigInt(releasedAt));
    await games.anvil.test.mine({ blocks: 1 });
    expect(await refusalOf(payee.finishUnbond())).toBe("ChallengesOpen");
    const unseen = process.held("leaving unseen");
    const after = unseen.answer.until + 1n;
    if (after > BigInt(releasedAt)) {
      await at(after);
      await games.anvil.test.mine({ blocks: 1 });
    }
    expect(await refusalOf(late.moves.challenge(unseen))).toBe("WindowClosed");
    await games.pass(Number(clocks().payeeClockSeconds) + 1);
    const id = await games.room.court.challengeId(digestOf(evidence), by.account.address);
    await by.moves.timeout([id]);
    expect((await stakeOf(evidence)).amount).toBe(STAKE - games.room.market.terms.penalty);
    await payee.finishUnbond();
    expect((await stakeOf(evidence)).amount).toBe(0n);
  });
});
