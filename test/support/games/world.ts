// A market in the middle of its disputes: who is there, what has been signed, what the court has said.
import { type Address, type Hex, numberToHex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { roundsOf } from "../../../packages/node/src/disputes/court/cost.ts";
import type { CourtEvent } from "../../../packages/node/src/disputes/game/courtEvents.ts";
import type { Draws } from "../deep.ts";
import type { Sent } from "./chain.ts";
import { clockTerms } from "./clocks.ts";
import { Replay } from "./replay.ts";
import { isTrue, type Subject } from "./subject.ts";
import { addressOf, holdOf, keyOf, type SignedAnswer, type Table, TUSD } from "./table.ts";
import { type Conviction, convictionsIn, courtEvents } from "./view.ts";

export type Payee = { name: string; account: PrivateKeyAccount; operator: PrivateKeyAccount; isHonest: boolean };
export type Role = "honest" | "prober" | "loser" | "silent";
export type Challenger = { name: string; address: Address; role: Role };

/** An answer with what is known of it that the court cannot know. */
export type Signed = SignedAnswer & {
  payee: Payee;
  key: Address;
  signedAt: number;
  /** Whether it bound its payee when it was signed: a payer takes no other. */
  isBinding: boolean;
  /** The payer's channel, or an id that is no channel. */
  channel: { payer: Address; signer: Address; payee: Address; model: bigint; salt: Hex } | undefined;
  /** After so many moves of its payee it shows nothing more. */
  silentAfter: number;
};

const FOREVER = 2 ** 40 - 1;
/** What everybody brings. */
export const PURSE = 100n * TUSD;

export class World {
  readonly table: Table;
  readonly draws: Draws;
  readonly payees: Payee[] = [
    { name: "honest", account: keyOf("honest payee"), operator: keyOf("honest operator"), isHonest: true },
    { name: "liar", account: keyOf("liar"), operator: keyOf("liar's operator"), isHonest: false },
  ];
  readonly challengers: Challenger[] = (
    [
      ["auditor", "honest"],
      ["second", "honest"],
      ["prober", "prober"],
      ["friend", "loser"],
      ["sleeper", "silent"],
    ] as const
  ).map(([name, role]) => ({ name, role, address: addressOf(name) }));
  readonly payer = addressOf("payer");
  readonly stranger = addressOf("stranger");
  readonly answers: Signed[] = [];
  readonly replay: Replay;
  readonly events: CourtEvent[] = [];
  /** What was done, for a message. */
  readonly story: string[] = [];
  /** Until when a key answers for a payee, kept here: what the contract says is compared with it. */
  readonly #until = new Map<string, number>();
  readonly #stages = new Map<Hex, number>();
  readonly unbonding = new Map<Address, { amount: bigint; releasedAt: number }>();
  readonly stakes = new Map<Address, bigint>();
  /** What payees were paid, in base units, before royalties. */
  readonly earned = new Map<Address, bigint>();
  readonly convictions: Conviction[] = [];

  constructor(table: Table, draws: Draws) {
    this.table = table;
    this.draws = draws;
    this.replay = new Replay(clockTerms(table.terms), (statementId) => this.#stages.get(statementId) ?? 0);
  }

  get now(): number {
    return this.table.chain.now;
  }

  async open(): Promise<void> {
    const { draws } = this;
    for (const payee of this.payees) {
      const stake = payee.isHonest ? PURSE : draws.pick([PURSE, 15n * TUSD, 3n * TUSD]);
      await this.table.stake(payee.account.address, stake);
      this.stakes.set(payee.account.address, stake);
      this.#until.set(`${payee.account.address} ${payee.account.address}`, FOREVER);
    }
    for (const { address } of this.challengers) await this.table.fund(address, PURSE);
    await this.table.fund(this.payer, PURSE);
  }

  answerableUntil = (payee: Payee, key: Address): number => this.#until.get(`${payee.account.address} ${key}`) ?? 0;

  /** Whether the court takes an answer as its payee's. */
  binds = ({ payee, key, answer }: Signed): boolean => {
    const last = this.answerableUntil(payee, key);
    return last > 0 && Number(answer.until) <= last;
  };

  async setOperator(payee: Payee, allowed: boolean): Promise<void> {
    const key = payee.operator.address;
    const before = this.answerableUntil(payee, key);
    const args = [key, allowed] as const;
    await this.table.must(
      this.table.chain.send(payee.account.address, "channels", { functionName: "setOperator", args }),
    );
    if (allowed !== (before === FOREVER))
      this.#until.set(`${payee.account.address} ${key}`, allowed ? FOREVER : this.now + holdOf(this.table.terms));
    this.tell(`${payee.name} ${allowed ? "names" : "withdraws"} its operator`);
  }

  async sign(
    payee: Payee,
    subject: Subject,
    { key, until }: { key: PrivateKeyAccount; until: number },
  ): Promise<Signed> {
    const { draws, table } = this;
    const salt = numberToHex(this.answers.length, { size: 32 });
    const channel = { payer: this.payer, signer: this.payer, payee: payee.account.address, model: 0n, salt };
    const isChannel = draws.below(2) === 0;
    const channelId = isChannel
      ? await table.chain.read("channels", { functionName: "channelIdOf", args: [channel] })
      : undefined;
    const signed: Signed = {
      ...(await table.sign(subject, { payee: payee.account.address, key, until }, channelId)),
      ...{ payee, key: key.address, signedAt: this.now, isBinding: false, channel: isChannel ? channel : undefined },
      silentAfter: payee.isHonest ? Number.POSITIVE_INFINITY : draws.pick([0, 1, 2, 3, 4, 6, 99, 99, 99]),
    };
    signed.isBinding = this.binds(signed);
    this.#stages.set(
      signed.answer.statementId,
      Number.parseInt(subject.preimage.header.slice(18, 22).replace(/(..)(..)/, "$2$1"), 16),
    );
    this.answers.push(signed);
    this.tell(`${payee.name} signs ${subject.name}, until ${until - this.now}`);
    return signed;
  }

  answerOf(digest: Hex): Signed {
    const found = this.answers.find((each) => each.digest === digest);
    if (!found) throw new Error(`nobody has signed ${digest}`);
    return found;
  }

  gameOf(id: Hex) {
    const game = this.replay.games.get(id);
    const challenger = this.challengers.find(({ address }) => address.toLowerCase() === game?.challenger.toLowerCase());
    if (!game || !challenger) throw new Error(`there is no challenge ${id}`);
    return { id, challenger, of: this.answerOf(game.digest), asks: game.asks, reveals: game.reveals };
  }

  /** What has happened in one challenge and to its answer. */
  eventsOf = (id: Hex): CourtEvent[] =>
    this.events.filter(({ args }) =>
      "id" in args ? args.id === id : "answerDigest" in args && args.answerDigest === this.replay.games.get(id)?.digest,
    );

  /** Takes in what a transaction has done. */
  note(what: string, sent: Sent): Sent {
    this.tell(`${what}: ${sent.ok ? "done" : sent.error}`);
    if (!sent.ok) return sent;
    for (const event of courtEvents(this.table.chain, sent.logs)) {
      if (event.eventName === "Convicted") this.#requireFirst(event.args);
      this.events.push(event);
      this.replay.take(event, this.now);
    }
    this.convictions.push(...convictionsIn(this.table.chain, sent.logs));
    return sent;
  }

  /** The reward is for the challenge opened first of those that are open, whoever sent the evidence. */
  #requireFirst({ answerDigest, rewarded }: { answerDigest: Hex; rewarded: Hex }): void {
    const { replay } = this;
    const first = replay
      .openOf(answerDigest)
      .find((id) => replay.turn(id) === "payee" || this.now <= replay.deadline(id));
    if (first !== rewarded) throw new Error(`the reward went to ${rewarded}, not to ${first}`);
  }

  tell(what: string): void {
    this.story.push(`${this.now % 100_000}: ${what}`);
  }
}

/** Whether an answer that a payer could have taken is a lie: an honest challenger catches it. */
export const isCatchable = ({ subject, isBinding, answer, signedAt }: Signed): boolean =>
  !isTrue(subject) && isBinding && Number(answer.until) >= signedAt;

/** Reveals, and asks, of one game at most: every list down to a leaf, and the leaf. */
export const mostMoves = ({ program, preimage: { T } }: Subject): number =>
  roundsOf(program, Math.min(T, program.maxT)) + 1;
