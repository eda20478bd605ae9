import { existsSync } from "node:fs";
import { codeOf, EXIT } from "@foldmark/protocol";
import { z } from "zod";
import { askNode } from "../control/client.ts";
import { readLedgerSummary } from "../store/ledgerSummary.ts";
import { tokens } from "./amount.ts";
import type { Command, CommandContext, CommandResult } from "./command.ts";
import { openConfig } from "./openNode.ts";

const amount = z.coerce.bigint();
const statusSchema = z.object({
  state: z.enum(["SERVING", "IDLE", "DEGRADED", "DRAINING"]),
  payee: z.string(),
  endpoint: z.string(),
  models: z.array(z.object({ asset: z.string(), name: z.string(), isOffered: z.boolean() })),
  running: z.number(),
  queued: z.number(),
  uptimeSeconds: z.number(),
  money: z.object({ signed: amount, held: amount, ready: amount }),
  stake: z.object({ amount, unbonding: amount, isEnough: z.boolean() }),
  openAnswers: z.number(),
  disputes: z.object({ open: z.number(), convicted: z.number(), won: z.number(), falseAnswers: z.number() }),
  defencesAffordable: z.number(),
  todo: z.array(z.string()),
});

export const status: Command = {
  name: "status",
  summary: "Am I serving, is my stake safe, what do I do next",
  async run(input) {
    const { context } = input;
    try {
      return running(statusSchema.parse(await askNode(context.home.socket, "status")));
    } catch (error) {
      if (codeOf(error) !== "node.not_running") throw error;
      return stopped(context, (await openConfig(input)).models.length > 0);
    }
  },
};

function running(node: z.infer<typeof statusSchema>): CommandResult {
  const { state, models, running, queued, uptimeSeconds, endpoint, money, stake, openAnswers, todo } = node;
  const { open, convicted, won, falseAnswers } = node.disputes;
  const lines = [
    `${state}  ${models.length} model${models.length === 1 ? "" : "s"}, ${running} running, ${queued} waiting, up ${duration(uptimeSeconds)}  ${endpoint}`,
    `money    signed ${tokens(money.signed)}   held ${tokens(money.held)}   ready ${tokens(money.ready)}`,
    `stake    ${tokens(stake.amount)}${stake.isEnough ? "" : " (too low to serve)"}   ${openAnswers} answers can still be challenged`,
    `disputes ${open} open, ${convicted} convicted, ${won} won, ${falseAnswers} own answers found false   gas for ${node.defencesAffordable} defences`,
    ...todo.map((line) => `todo     ${line}`),
  ];
  return { data: node, text: lines.join("\n") };
}

function stopped({ home }: CommandContext, hasModel: boolean): CommandResult {
  const hasLedger = existsSync(home.ledger);
  const ledger = hasLedger ? readLedgerSummary(home.ledger) : { channels: 0, owed: 0n, openAnswers: 0 };
  const next = hasLedger ? "run `foldmark start`" : "run `foldmark init`, then `foldmark start`";
  return {
    data: { state: "STOPPED", ...ledger },
    text: [
      `STOPPED  no node runs in ${home.folder}`,
      `money    signed ${tokens(ledger.owed)} on ${ledger.channels} channels   ${ledger.openAnswers} answers can still be challenged`,
      `todo     ${hasModel ? next : "run `foldmark init --model DIR` first, then `foldmark start`"}`,
    ].join("\n"),
    exit: EXIT.notRunning,
  };
}

function duration(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  return `${days > 0 ? `${days} d ` : ""}${hours} h ${String(minutes).padStart(2, "0")} m`;
}
