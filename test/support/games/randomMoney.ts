// What payees do with their stake and their income.
import type { Hex } from "viem";
import { foretold } from "./foretold.ts";
import { holdOf, TUSD } from "./table.ts";
import type { Payee, Signed, World } from "./world.ts";

/** Stake begins to leave, or leaves, or may not. */
export async function unbond(world: World): Promise<void> {
  const { draws, table, replay } = world;
  const { account, name }: Payee = draws.pick(world.payees);
  const { amount, unbonding } = await table.chain.read("channels", {
    functionName: "stakeOf",
    args: [account.address],
  });
  const started = world.unbonding.get(account.address);
  if (started ? draws.below(5) === 0 : draws.below(4) > 0) {
    const wanted = draws.pick([amount, amount / 2n, amount + 1n]);
    const what = `${name} starts to unbond ${wanted}`;
    const call = { functionName: "startUnbond", args: [wanted] } as const;
    foretold(
      what,
      wanted > amount ? "StakeTooLow" : "done",
      world.note(what, await table.chain.send(account.address, "channels", call)),
    );
    if (wanted <= amount)
      world.unbonding.set(account.address, { amount: wanted, releasedAt: world.now + holdOf(table.terms) + 1 });
    return;
  }
  const expected =
    !started || unbonding === 0n
      ? "NothingUnbonding"
      : world.now < started.releasedAt
        ? "TooEarly"
        : replay.openAgainst(account.address).length > 0
          ? "ChallengesOpen"
          : "done";
  const what = `${name} takes its stake out`;
  foretold(
    what,
    expected,
    world.note(what, await table.chain.send(account.address, "channels", { functionName: "finishUnbond", args: [] })),
  );
  if (expected !== "done" || !started) return;
  world.unbonding.delete(account.address);
  world.stakes.set(account.address, (world.stakes.get(account.address) ?? 0n) - unbonding);
  requireNoLiveAnswer(world, account.address, started.releasedAt - holdOf(table.terms) - 1);
}

/** What was signed before a stake began to leave can no longer be challenged when it has left. */
function requireNoLiveAnswer(world: World, payee: Hex, startedAt: number): void {
  const hold = holdOf(world.table.terms);
  const isLive = ({ answer, payee: { account }, signedAt }: Signed) =>
    account.address === payee &&
    signedAt <= startedAt &&
    Number(answer.until) <= startedAt + hold &&
    Number(answer.until) >= world.now;
  if (world.answers.some(isLive)) throw new Error("stake has left while an answer that it stood for can be challenged");
}

/** Income that answers for answers, and income that has left the hold. */
export async function earn(world: World): Promise<void> {
  const { draws, table } = world;
  const { account, name } = draws.pick(world.payees);
  if (draws.below(3) === 0) {
    world.note(
      `${name} collects`,
      await table.chain.send(world.stranger, "channels", { functionName: "collect", args: [account.address] }),
    );
    return;
  }
  const amount = BigInt(1 + draws.below(Number(TUSD)));
  const args = [account.address, draws.below(4) === 0 ? 0n : table.model, amount] as const;
  const sent = world.note(
    `${name} earns ${amount}`,
    await table.chain.send(world.payer, "channels", { functionName: "pay", args }),
  );
  foretold("a payment", "done", sent);
  world.earned.set(account.address, (world.earned.get(account.address) ?? 0n) + amount);
}
