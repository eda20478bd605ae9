import { readFileSync } from "node:fs";
import { FoldmarkError } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { families, openPackage } from "@foldmark/workloads";
import { formatUnits } from "viem";
import { chainReader } from "../chain/chainReader.ts";
import { openCourt } from "../disputes/court/court.ts";
import type { Moved } from "../disputes/court/courtMoves.ts";
import { type Stakes, stakesOf } from "../disputes/court/stakes.ts";
import { placeText } from "../disputes/game/rounds.ts";
import { playChallenge } from "../disputes/playChallenge.ts";
import type { Look } from "../disputes/player.ts";
import { examineReceipt } from "../disputes/receiptAnswer.ts";
import { openThreadTrace } from "../disputes/traces/threadTrace.ts";
import { terminalLines } from "../terminalLines.ts";
import { tokens } from "./amount.ts";
import { type Command, OPTION } from "./command.ts";
import { confirm } from "./confirm.ts";
import { openNode } from "./openNode.ts";
import { receiptIn } from "./receiptFile.ts";
import { packageOfReceipt } from "./receiptPackage.ts";

export const challenge: Command = {
  name: "challenge",
  summary: "Challenge a false answer at the court and play until it is over; run again, it goes on",
  args: [{ name: "receipt", summary: "file with the receipt of the answer, or with an answer that holds one" }],
  options: [
    { flags: "--package <dir>", summary: "package of the model; by default the installed one" },
    { flags: "--no-node", summary: "ask for everything at the court, never at the provider's node" },
    { flags: "--yes", summary: "do not ask before the bond is put up" },
    ...[OPTION.rpc, OPTION.deployment, OPTION.passwordFile],
  ],
  async run(input) {
    const { args, options, context } = input;
    const json = receiptIn(readJson(String(args[0])));
    const { config, market, sender } = await openNode(input);
    const court = await openCourt(market);
    const pkg = await openPackage(await packageOfReceipt(json, input, config), { families, verify: "once" });
    const { answer, isTrue, why } = await examineReceipt(json, { pkg, chain: chainReader(market) });
    if (isTrue)
      throw new FoldmarkError("check.failed", `The answer is true: ${why}.`, {
        hint: "A challenge of it would cost the bond.",
      });
    context.say(`the answer is false: ${why}`);
    const stakes = await stakesOf(court, { program: pkg.program, T: answer.preimage.T });
    context.say(stakesText(stakes));
    if (options.yes !== true) await confirm(context, `Put up a bond of ${tokens(stakes.bond)} and challenge it?`);

    const log = createLogger({
      ...{ name: "challenge", level: "warn" },
      ...(context.isInteractive ? { destination: terminalLines(context.err) } : {}),
    });
    const outcome = await playChallenge(answer, {
      ...{ court, sender, openTrace: openThreadTrace, log, pollMs: config.network.pollMs },
      asksNode: options.node !== false,
      onMove: (moved, look) => context.say(moveText(moved, look)),
    });
    const { result, paid, gasUsed, fees } = outcome;
    return {
      data: { ...outcome, why, stakes },
      text: `${RESULTS[result]}; ${tokens(paid)} came back, ${gasUsed} gas for ${formatUnits(fees, 18)}`,
      ...(result === "convicted" ? {} : { exit: LOST }),
    };
  },
};

/** A dispute that was not won is a check that failed. */
const LOST = 3;

const RESULTS = {
  convicted: "convicted: the answer was proved false, or its provider fell silent",
  lost: "lost: our clock ran out, and the bond is gone",
  conceded: "conceded: the provider's trace is ours, and nothing in it is false",
};

/** What a challenge costs and brings, before anything is put up. */
export function stakesText({ bond, reward, compensation, gas, fees }: Stakes): string {
  return [
    `bond          ${tokens(bond)}, back after a conviction`,
    `reward        ${tokens(reward)}, for the challenge that opened first; as much again is the payer's (${tokens(compensation)})`,
    `our gas       at most ${gas.least} where the provider's node shows its tree, else at most ${gas.most}: ${formatUnits(fees.least, 18)} to ${formatUnits(fees.most, 18)} now`,
    `provider's    at most ${gas.payee} gas for its whole defence`,
  ].join("\n");
}

function moveText({ move, gasUsed, transaction }: Moved, look: Look | undefined): string {
  const about = look && move === "ask" ? `  under ${placeText(look.game.position)}` : "";
  return `${move.padEnd(14)}${String(gasUsed).padStart(9)} gas  tx ${transaction}${about}`;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new FoldmarkError("config.unreadable", `${file} cannot be read as JSON.`, { details: { file }, cause });
  }
}
