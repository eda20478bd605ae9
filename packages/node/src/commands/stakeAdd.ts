import { boundStake, FoldmarkError } from "@foldmark/protocol";
import { readStake } from "../chain/market.ts";
import { addStake } from "../chain/provider.ts";
import { amountOf, tokens } from "./amount.ts";
import { type Command, OPTION } from "./command.ts";
import { openNode } from "./openNode.ts";

export const stakeAdd: Command = {
  name: "stake add",
  summary: "Add to the stake that answers for this provider's answers",
  args: [{ name: "amount", summary: 'in the settlement token, such as "100"' }],
  options: [OPTION.rpc, OPTION.deployment, OPTION.passwordFile],
  async run(input) {
    const amount = amountOf(input.args[0], { name: "amount" });
    if (amount === 0n) throw new FoldmarkError("cli.usage", "The amount to stake is 0.", { hint: "Give more than 0." });
    const { market, sender } = await openNode(input);
    await addStake(market, sender, amount);
    const stake = await readStake(market, sender.account.address);
    return {
      data: { added: amount, stake: stake.amount, unbonding: stake.unbonding },
      text: `staked ${tokens(amount)}; the stake is ${tokens(boundStake(stake))}`,
    };
  },
};
