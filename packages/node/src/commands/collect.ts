import { codeOf } from "@foldmark/protocol";
import { z } from "zod";
import { askNode } from "../control/client.ts";
import { collectIncome } from "../money/collect.ts";
import { tokens } from "./amount.ts";
import { type Command, type CommandInput, OPTION } from "./command.ts";
import { openNode } from "./openNode.ts";

const collectedSchema = z.object({ collected: z.coerce.bigint(), transaction: z.string().optional() });

export const collect: Command = {
  name: "collect",
  summary: "Have the income that has left its hold paid to the payee",
  options: [OPTION.rpc, OPTION.deployment, OPTION.passwordFile],
  async run(input) {
    const done = collectedSchema.parse(await collected(input));
    return {
      data: done,
      text: done.collected === 0n ? "nothing is ready" : `collected ${tokens(done.collected)}  tx ${done.transaction}`,
    };
  },
};

async function collected(input: CommandInput): Promise<unknown> {
  try {
    return await askNode(input.context.home.socket, "collect");
  } catch (error) {
    if (codeOf(error) !== "node.not_running") throw error;
  }
  const { config, market, key, sender } = await openNode(input);
  return collectIncome(market, sender, config.payee ?? key.address);
}
