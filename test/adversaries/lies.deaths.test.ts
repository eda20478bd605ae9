// Games about a lie whose players die, and whose chain changes its mind: what a player knows is what the chain says.
import { answerDigest, domainOf } from "@foldmark/protocol";
import type { Address } from "viem";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readGameEvents } from "../../packages/node/src/disputes/game/courtEvents.ts";
import { type CourtGames, openCourtGames } from "../support/courtGames.ts";
import type { Evidence } from "./lies/evidence.ts";
import type { PayeeSeat } from "./lies/payee.ts";

const LIE = "wrongSeed";
/** More lives than a game has moves. */
const MOST_LIVES = 24;

let games: CourtGames;
beforeAll(async () => {
  games = await openCourtGames();
});
afterAll(() => games?.[Symbol.asyncDispose]());

/** A payee that has signed its lie. */
async function signed(name: string) {
  const seat: PayeeSeat = { name, lie: LIE };
  const payee = await games.payees([seat]);
  const evidence = payee.signed.get(name);
  if (!evidence) throw new Error("nothing was signed");
  return { seat, payee, evidence };
}

/** What a game's events say, by name, and whether every transaction of these keys did what it was sent for. */
async function story(evidence: Evidence, challenger: Address, since: bigint) {
  const digest = answerDigest(domainOf(games.deployment), evidence.answer);
  const id = await games.room.court.challengeId(digest, challenger);
  const head = await games.client.getBlockNumber();
  const range = { fromBlock: since, toBlock: head };
  const events = await readGameEvents(games.room.court, { id, answerDigest: digest }, range);
  const keys = new Set([challenger.toLowerCase(), evidence.answer.payee.toLowerCase()]);
  const statuses: string[] = [];
  for (let number = since; number <= head; number++) {
    const { transactions } = await games.client.getBlock({ blockNumber: number, includeTransactions: true });
    for (const { hash, from } of transactions)
      if (keys.has(from.toLowerCase())) statuses.push((await games.client.getTransactionReceipt({ hash })).status);
  }
  return { events: events.map(({ eventName }) => eventName), statuses };
}

const MOVES = ["Challenged", "Posted", "Asked", "Revealed", "Asked", "Revealed", "Asked", "LeafRevealed", "Refuted"];

describe("kill -9 of both players at each move", () => {
  it("after it was sent and before it was mined: none is lost, none is made twice", async () => {
    const { seat, payee, evidence } = await signed("dies often");
    await payee.kill();
    const { account } = await games.funded("dies too", evidence);
    const since = (await games.client.getBlockNumber()) + 1n;
    const { test } = games.anvil;
    onTestFinished(() => test.setAutomine(true));
    await test.setAutomine(false);
    let lives = 0;
    for (let isOver = false; !isOver; lives++) {
      expect(lives).toBeLessThan(MOST_LIVES);
      const players = [
        games.payeeAgain(seat, evidence),
        games.challenger("dies too", [evidence], { isFunded: true }),
      ] as const;
      for (const each of players) await each.until((lines) => lines.some(({ event }) => event === "ready"));
      await test.mine({ blocks: 1 }); // what their former selves have sent
      const [, challenger] = players;
      await expect
        .poll(
          async () => {
            isOver = challenger.lines.some(({ event }) => event === "outcome");
            return isOver || (await test.getTxpoolStatus()).pending > 0;
          },
          { timeout: 60_000, interval: 50 },
        )
        .toBe(true);
      await Promise.all(players.map((each) => each.kill()));
      if (isOver) expect(challenger.lines.at(-1)).toMatchObject({ event: "outcome", result: "convicted" });
    }
    await test.setAutomine(true);
    const { events, statuses } = await story(evidence, account.address, since);
    expect(events).toEqual([...MOVES, "Convicted", "BondTaken"]);
    // approval, the moves of both, and at the end bond, credit and reward
    expect(statuses).toEqual(Array.from({ length: 1 + MOVES.length + 3 }, () => "success"));
    expect(lives).toBeGreaterThan(MOVES.length);
  });
});

describe("a reorganisation in the middle of a game", () => {
  it.each([
    { behaviour: "that takes back the moves after the root", isKept: "post", posts: 1 },
    { behaviour: "that takes back the opening too", isKept: undefined, posts: 2 },
  ])("$behaviour: both players carry on", async ({ behaviour, isKept, posts }) => {
    const { payee, evidence } = await signed(behaviour);
    const { account, moves } = await games.funded("reorganised", evidence);
    await moves.approve();
    const before = await games.client.getBlockNumber();
    const challenger = games.challenger("reorganised", [evidence], { isFunded: true });
    const made = (move: string) => payee.lines.filter((line) => line.move === move);
    await payee.until(() => made("reveal").length > 0);
    const keep = isKept ? await blockOf(made(isKept)[0]?.transaction) : before;
    await games.reorganise(Number((await games.client.getBlockNumber()) - keep));
    await challenger.until((lines) => lines.some(({ event }) => event === "outcome"));
    expect(challenger.lines.at(-1)).toMatchObject({ event: "outcome", result: "convicted" });
    expect(made("post").length).toBe(posts);
    expect(made("reveal").length).toBeGreaterThanOrEqual(3); // two of them are in the chain in the end
    const { events } = await story(evidence, account.address, before + 1n);
    expect(events).toEqual([...MOVES, "Convicted", "BondTaken"]);
    await payee.kill();
  });
});

async function blockOf(transaction: unknown): Promise<bigint> {
  return (await games.client.getTransactionReceipt({ hash: transaction as `0x${string}` })).blockNumber;
}
