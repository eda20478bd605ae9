import { codeOf, formatAmount, parseAmount } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { z } from "zod";
import { MarketWatch } from "../chain/marketWatch.ts";
import { askNode } from "../control/client.ts";
import { Redeemer } from "../money/redeemer.ts";
import { Ledger } from "../store/ledger.ts";
import { sealedBox } from "../store/sealedBox.ts";
import { tokens } from "./amount.ts";
import { type Command, type CommandInput, OPTION } from "./command.ts";
import { openNode } from "./openNode.ts";

const redemptionsSchema = z.array(
  z.object({
    model: z.string(),
    transaction: z.string(),
    gasUsed: z.coerce.bigint(),
    total: z.coerce.bigint(),
    rows: z.array(z.object({ channelId: z.string(), status: z.string(), paid: z.coerce.bigint() })),
  }),
);

export const redeem: Command = {
  name: "redeem",
  summary: "Redeem every voucher that is owed, now and whatever the gas",
  options: [OPTION.rpc, OPTION.deployment, OPTION.passwordFile],
  async run(input) {
    const redemptions = redemptionsSchema.parse(await redeemed(input));
    const lines = redemptions.map(
      ({ rows, total, gasUsed, transaction }) =>
        `redeemed ${rows.length} channels  +${formatAmount(total)}  gas ${gasUsed}  tx ${transaction}`,
    );
    const total = redemptions.reduce((sum, each) => sum + each.total, 0n);
    return {
      data: { redemptions, total },
      text: lines.length === 0 ? "nothing is owed" : [...lines, `${tokens(total)} in all, before royalties`].join("\n"),
    };
  },
};

/** The running node holds the ledger and does it itself; a stopped one's ledger is opened here. */
async function redeemed(input: CommandInput): Promise<unknown> {
  try {
    return await askNode(input.context.home.socket, "redeem");
  } catch (error) {
    if (codeOf(error) !== "node.not_running") throw error;
  }
  const { config, market, key, sender } = await openNode(input);
  const payee = config.payee ?? key.address;
  const { chainId, contracts } = market.deployment;
  const ledger = Ledger.open(input.context.home.ledger, {
    owner: { payee, chainId, channels: contracts.channels },
    box: sealedBox(key.secret()),
  });
  const log = createLogger({ name: "node", level: config.log.level });
  const view = await MarketWatch.open(
    market,
    { payee, operator: key.address, assets: [], pollMs: config.network.pollMs, maxBlindMs: 0 },
    { log, clock: Date.now },
  );
  try {
    const nativePrice = parseAmount(config.money.nativePrice);
    return await new Redeemer({ market, view, sender, ledger, payee, nativePrice, log }).redeemAll();
  } finally {
    view.close();
    ledger.close();
  }
}
