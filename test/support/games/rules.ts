// What holds after every game, whatever was done in it.
import { expect } from "vitest";
import { nextMoves, nonsense } from "./mischief.ts";
import { calls } from "./moves.ts";
import { comparable } from "./replay.ts";
import { isHonest, isTrue } from "./subject.ts";
import { readDispute, readGame } from "./view.ts";
import { isCatchable, mostMoves, PURSE, type World } from "./world.ts";

export async function checkRules(world: World): Promise<void> {
  theTruthStands(world);
  movesAreBounded(world);
  await eventsTellAll(world);
  await listsAreRight(world);
  await moneyIsConserved(world);
  await nothingMoves(world);
  await settle(world);
  await moneyIsConserved(world);
  await nothingMoves(world);
  await everybodyHasItsDue(world);
}

/** What the court is for: a payer that was lied to, or a payee that was not believed, has nobody else to turn to. */
function theTruthStands(world: World): void {
  for (const signed of world.answers) {
    const { digest, subject, payee } = signed;
    const { replay } = world;
    const convicted = (replay.cases.get(digest)?.convictedAt ?? 0) > 0;
    const why = `${subject.name}, of the ${payee.name}`;
    // an honest challenger that looks at every answer in its window catches every lie
    if (isCatchable(signed)) expect(convicted, `${why}: convicted`).toBe(true);
    // whoever says the truth and shows the trace that it has loses to nobody, and cannot be talked into losing
    if (payee.isHonest) expect(convicted, `${why}: convicted`).toBe(false);
    // evidence convicts a false answer, or one whose payee has shown something else than its trace; nothing else
    if (replay.refuted.has(digest)) expect(isHonest(subject), `${why}: refuted`).toBe(false);
    if (convicted) expect(replay.refuted.has(digest) || replay.silent.has(digest), why).toBe(true);
    // a payee that shows its true trace is convicted of a true answer only for its silence
    if (convicted && isTrue(subject) && isHonest(subject)) expect(replay.silent.has(digest), why).toBe(true);
  }
}

/** Gas is money too: neither seat may be made to move more often than the depth of the trace asks for. */
function movesAreBounded(world: World): void {
  for (const id of world.replay.games.keys()) {
    const { of, asks, reveals } = world.gameOf(id);
    const most = mostMoves(of.subject);
    expect(asks, `asks about ${of.subject.name}`).toBeLessThanOrEqual(most);
    expect(reveals, `reveals of ${of.subject.name}`).toBeLessThanOrEqual(most);
  }
}

/** A finished game is replayed by people who have its events and no archive of the chain's state. */
async function eventsTellAll(world: World): Promise<void> {
  for (const id of world.replay.games.keys()) {
    const game = await readGame(world.table.chain, id);
    expect(game && comparable(game)).toEqual(world.replay.game(id));
  }
}

/** Stake waits for as long as a challenge is open and not a second longer; a reward goes to the head of the list. */
async function listsAreRight(world: World): Promise<void> {
  const { replay, table } = world;
  for (const { digest } of world.answers) {
    const { open, head, convictedAt } = await readDispute(table.chain, digest);
    const listed = replay.openOf(digest);
    expect(open, "open challenges of an answer").toBe(listed.length);
    if (convictedAt === 0n && listed[0]) expect(head, "the first of them").toBe(listed[0]);
  }
  for (const { account } of world.payees)
    expect(await table.chain.read("court", { functionName: "openChallenges", args: [account.address] })).toBe(
      BigInt(replay.openAgainst(account.address).length),
    );
}

/** No unit is made or lost, nor owed twice: what both contracts hold is what they owe, and what was burnt. */
async function moneyIsConserved(world: World): Promise<void> {
  const { table, replay, convictions } = world;
  const { chain } = table;
  const held = (of: "court" | "channels") =>
    chain.read("token", { functionName: "balanceOf", args: [chain.addresses[of]] });
  const people = everybody(world);
  const credits = async (of: "court" | "channels") =>
    sum(await Promise.all(people.map((who) => chain.read(of, { functionName: "creditOf", args: [who] }))));

  const bonds = [...replay.games.values()].filter(
    ({ isLost, isPaid }, i) => !isLost && !isPaid && !isSilentlyLost(world, i),
  ).length;
  const forfeited = [...replay.games.keys()].filter((_, i) => isSilentlyLost(world, i)).length;
  expect(await held("court"), "the court").toBe(
    BigInt(bonds + forfeited) * table.terms.bond + (await credits("court")) + replay.burnt,
  );

  const payees = world.payees.map(({ account }) => account.address);
  const stakes = await Promise.all(
    payees.map((payee) => chain.read("channels", { functionName: "stakeOf", args: [payee] })),
  );
  const incomes = await Promise.all(
    payees.map((payee) => chain.read("channels", { functionName: "incomeOf", args: [payee] })),
  );
  const ids = [...new Set(world.answers.map(({ answer }) => answer.channelId))];
  const aside = await Promise.all(
    ids.map((id) => chain.read("channels", { functionName: "compensationOf", args: [id] })),
  );
  expect(await held("channels"), "the channels").toBe(
    sum(stakes.map(({ amount }) => amount)) +
      sum(incomes.flat()) +
      sum(aside) +
      (await chain.read("channels", { functionName: "modelIncomeOf", args: [table.model] })) +
      (await credits("channels")) +
      sum(convictions.map(({ burnt }) => burnt)),
  );
}

/** Lost by its clock when a conviction came, and nobody had said so: its bond stays where it is. */
function isSilentlyLost({ replay }: World, at: number): boolean {
  const [id, game] = [...replay.games][at] ?? [];
  return id !== undefined && game !== undefined && replay.turn(id) === "lost" && !game.isLost;
}

/** An ended game is ended: what it said is what payers have acted on, and its money has gone. */
async function nothingMoves(world: World): Promise<void> {
  const { chain } = world.table;
  for (const id of world.replay.games.keys()) {
    const isBondOwed = world.replay.turn(id) === "won" && !world.replay.games.get(id)?.isPaid;
    const { of } = world.gameOf(id);
    const isConvicted = (world.replay.cases.get(of.digest)?.convictedAt ?? 0) > 0;
    for (const { what, by, call } of [...nonsense(world, id), ...(await nextMoves(world, id))]) {
      // where all of an answer's challenges were lost before its root came, the answer itself may still be posted for
      if (call.functionName === "post" && !isConvicted) continue;
      const got = await chain.attempt(by, "court", call);
      expect(got, `after the end ${what}`).not.toBe("done");
    }
    const took = await chain.attempt(world.stranger, "court", calls.takeBond(id));
    expect(took, "a bond").toBe(isBondOwed ? "done" : "NoBond");
  }
}

/** Everybody takes what is his, each thing once. */
async function settle(world: World): Promise<void> {
  const { table, replay } = world;
  const { chain } = table;
  const take = async (what: string, sending: ReturnType<typeof chain.send>) => {
    const sent = world.note(what, await sending);
    expect(sent.ok, what).toBe(true);
  };
  for (const [id, { isPaid }] of replay.games)
    if (replay.turn(id) === "won" && !isPaid)
      await take("a bond is taken", chain.send(world.stranger, "court", calls.takeBond(id)));
  for (const { channel } of world.answers)
    if (channel)
      await take(
        "a payer is compensated",
        chain.send(world.stranger, "channels", { functionName: "takeCompensation", args: [channel] }),
      );
  await take(
    "the author is paid",
    chain.send(world.stranger, "channels", { functionName: "takeModelIncome", args: [table.model] }),
  );
  for (const who of everybody(world))
    for (const from of ["court", "channels"] as const)
      await take("credit is withdrawn", chain.send(who, from, { functionName: "withdraw", args: [] }));
}

/** An honest move never costs a bond or a stake, or nobody would make it; a lost challenge costs one bond exactly. */
async function everybodyHasItsDue(world: World): Promise<void> {
  const { table, replay, convictions } = world;
  const { chain, terms } = table;
  for (const { address, role, name } of world.challengers) {
    const own = [...replay.games].filter(([, { challenger }]) => challenger.toLowerCase() === address.toLowerCase());
    const lost = own.filter(([id]) => replay.turn(id) === "lost").length;
    if (role === "honest") expect(lost, `bonds that the ${name} lost`).toBe(0);
    const rewards = sum(convictions.filter(({ challenger }) => challenger === address).map(({ taken }) => taken / 4n));
    expect(await chain.read("token", { functionName: "balanceOf", args: [address] }), name).toBe(
      PURSE - BigInt(lost) * terms.bond + rewards,
    );
  }
  for (const { account, isHonest: honest, name } of world.payees) {
    const { amount } = await chain.read("channels", { functionName: "stakeOf", args: [account.address] });
    const taken = sum(convictions.filter(({ payee }) => payee === account.address).map((each) => each.taken));
    if (honest) expect(taken, "stake taken from the honest").toBe(0n);
    expect(amount, `the stake of the ${name}`).toBe((world.stakes.get(account.address) ?? 0n) - taken);
  }
  // the penalty is P, or what is left of the stake; no lie is cheaper for a part of it that was on its way out
  for (const { taken, payee } of convictions)
    if (taken < terms.penalty)
      expect(sum(convictions.filter((each) => each.payee === payee).map((each) => each.taken))).toBe(
        world.stakes.get(payee),
      );
}

const everybody = (world: World) => [
  ...world.challengers.map(({ address }) => address),
  ...world.payees.flatMap(({ account, operator }) => [account.address, operator.address]),
  ...[world.payer, world.stranger, world.table.author],
];

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);
