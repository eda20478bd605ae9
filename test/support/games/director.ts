// Lets people at a table do one thing after another; what has to succeed throws where it does not.
import type { Refutation } from "@foldmark/machine";
import type { Address, Hex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { drawsFrom } from "../deep.ts";
import { look, moveAsChallenger, sendAsPayee } from "./duties.ts";
import { calls } from "./moves.ts";
import { challengersMove, payeesMove } from "./seats.ts";
import type { Subject } from "./subject.ts";
import { addressOf, holdOf, type Table } from "./table.ts";
import { type Challenger, type Payee, type Signed, World } from "./world.ts";

type CourtCall =
  Exclude<(typeof calls)[keyof typeof calls], { functionName: string }> extends (...of: never[]) => infer C ? C : never;

export type Director = Awaited<ReturnType<typeof direct>>;

/** A fresh market with its people, and what each of them can be told to do. */
export async function direct(table: Table) {
  const world = new World(table, drawsFrom(1));
  await world.open();
  const { chain, must, terms } = table;
  const [honest, liar] = world.payees as [Payee, Payee];
  const hold = holdOf(terms);

  const named = (name: string): Challenger => {
    const known = world.challengers.find((each) => each.name === name);
    if (known) return known;
    const made: Challenger = { name, role: "loser", address: addressOf(name) };
    world.challengers.push(made);
    return made;
  };
  const told = async (what: string, sending: ReturnType<typeof chain.send>): Promise<string> => {
    const sent = world.note(what, await sending);
    return sent.ok ? "done" : sent.error;
  };
  /** Who has been paid for what last happened: names of the convicted and the rewarded. */
  const verdict = (signed: Signed): string => {
    if ((world.replay.cases.get(signed.digest)?.convictedAt ?? 0) === 0) return "stands";
    const { challenger } = world.convictions.at(-1) ?? { challenger: "0x" };
    return `convicted, ${world.challengers.find(({ address }) => address === challenger)?.name} paid`;
  };

  return {
    ...{ world, chain, terms, hold, honest, liar, verdict },
    get now() {
      return chain.now;
    },
    wait: (seconds: number) => chain.waitUntil(chain.now + seconds),
    waitUntil: (second: number) => chain.waitUntil(second),
    sign: (
      payee: Payee,
      subject: Subject,
      {
        key = payee.account,
        until = chain.now + Number(terms.windowSeconds),
      }: { key?: PrivateKeyAccount; until?: number } = {},
    ) => world.sign(payee, subject, { key, until }),
    /** Gives the challenger a bond where it has none. */
    async challenge(name: string, signed: Signed): Promise<string> {
      const isNew = !world.challengers.some((each) => each.name === name);
      const { address } = named(name);
      if (isNew) await table.fund(address, terms.bond);
      return told(`${name} challenges`, chain.send(address, "court", calls.challenge(signed)));
    },
    idOf: (name: string, { digest }: Signed) =>
      chain.read("court", { functionName: "challengeId", args: [digest, named(name).address] }),
    /** The payee shows what it has; "silent" where it has nothing. */
    async answer(id: Hex): Promise<string> {
      const move = await payeesMove(world.gameOf(id).of.subject, await look(world, id));
      if (move.kind === "wait" || move.kind === "over") return "silent";
      return told(`the payee makes its ${move.kind}`, sendAsPayee(world, id, move));
    },
    /** The automatic challenger's move, whatever it is. */
    go: (id: Hex) => moveAsChallenger(world, id),
    nextMove: async (id: Hex) =>
      challengersMove(world.gameOf(id).of.subject, await look(world, id), world.eventsOf(id)),
    /** Both seats play until the challenger holds its evidence. */
    async extract(id: Hex): Promise<Refutation> {
      for (let moves = 0; moves < 40; moves++) {
        const move = await challengersMove(world.gameOf(id).of.subject, await look(world, id), world.eventsOf(id));
        if (move.kind === "refute") return move.refutation;
        if (move.kind === "ask") await moveAsChallenger(world, id);
        else if ((await this.answer(id)) !== "done") throw new Error("the payee shows nothing more");
      }
      throw new Error("there is no end of asking");
    },
    as: (name: string, call: CourtCall) => told(`${name} moves`, chain.send(named(name).address, "court", call)),
    by: (address: Address, call: CourtCall) => told("somebody moves", chain.send(address, "court", call)),
    startUnbond: ({ account }: Payee, amount: bigint) =>
      told(
        "unbonding starts",
        chain.send(account.address, "channels", { functionName: "startUnbond", args: [amount] }),
      ),
    finishUnbond: ({ account }: Payee) =>
      told("unbonding ends", chain.send(account.address, "channels", { functionName: "finishUnbond", args: [] })),
    stakeOf: async (payee: Payee) =>
      (await chain.read("channels", { functionName: "stakeOf", args: [payee.account.address] })).amount,
    heldOf: async (payee: Payee) =>
      (await chain.read("channels", { functionName: "incomeOf", args: [payee.account.address] }))[0],
    earn: (payee: Payee, amount: bigint) =>
      must(
        chain.send(world.payer, "channels", {
          functionName: "pay",
          args: [payee.account.address, table.model, amount],
        }),
      ),
    /** Everything that somebody holds and is owed, tokens and credits. */
    async wealthOf(address: Address): Promise<bigint> {
      const args = [address] as const;
      const parts = await Promise.all([
        chain.read("token", { functionName: "balanceOf", args }),
        chain.read("court", { functionName: "creditOf", args }),
        chain.read("channels", { functionName: "creditOf", args }),
      ]);
      return parts.reduce((sum, part) => sum + part, 0n);
    },
    addressOf: (name: string) => named(name).address,
  };
}
