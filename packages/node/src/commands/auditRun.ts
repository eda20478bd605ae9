import path from "node:path";
import { FoldmarkError } from "@foldmark/protocol";
import { createLogger, poll } from "@foldmark/service";
import { families, openPackage } from "@foldmark/workloads";
import { chainReader } from "../chain/chainReader.ts";
import { Audit, type Audited } from "../disputes/audit.ts";
import { openCourt } from "../disputes/court/court.ts";
import { playChallenge } from "../disputes/playChallenge.ts";
import { examineReceipt } from "../disputes/receiptAnswer.ts";
import { openThreadTrace } from "../disputes/traces/threadTrace.ts";
import { tillSignal } from "../signals.ts";
import { terminalLines } from "../terminalLines.ts";
import { amountOf, tokens } from "./amount.ts";
import { type Command, type CommandInput, OPTION } from "./command.ts";
import { openNode } from "./openNode.ts";
import { receiptIn } from "./receiptFile.ts";
import { packageOfReceipt } from "./receiptPackage.ts";

export const auditRun: Command = {
  name: "audit run",
  summary: "Compute a share of the receipts again that it is given, and challenge what is false",
  args: [{ name: "receipts...", summary: "files with a receipt each", isOptional: true }],
  options: [
    {
      flags: "--dir <folder>",
      summary: "folder whose .json files are receipts; new ones are seen; may be given again",
      isList: true,
    },
    { flags: "--share <part>", summary: "part of the receipts that is computed again, 0 to 1; by default 0.1" },
    { flags: "--bond-limit <amount>", summary: "bonds that may be at risk at a time; by default 25" },
    { flags: "--package <dir>", summary: "package of the model; by default the installed one of each receipt" },
    { flags: "--once", summary: "look once, wait for what was challenged, and stop" },
    { flags: "--yes", summary: "challenge what is false; without it, it is only told" },
    ...[OPTION.rpc, OPTION.deployment, OPTION.passwordFile, OPTION.logLevel],
  ],
  async run(input) {
    const { args, options, context } = input;
    const folders = Array.isArray(options.dir) ? options.dir.map((folder) => path.resolve(folder)) : [];
    if (args.length === 0 && folders.length === 0)
      throw new FoldmarkError("cli.usage", "There is nothing to audit.", {
        hint: "Name receipts, or give --dir FOLDER.",
      });
    const { config, market, key, sender } = await openNode(input);
    const court = await openCourt(market);
    const limit = amountOf(options.bondLimit ?? "25", { name: "--bond-limit" });
    const { bond } = court.terms;
    if (options.yes === true && limit < bond)
      throw new FoldmarkError("cli.usage", `--bond-limit is ${tokens(limit)}, one bond is ${tokens(bond)}.`);
    const log = createLogger({
      ...{ name: "audit", level: config.log.level },
      ...(context.isInteractive ? { destination: terminalLines(context.err) } : {}),
    });
    const results: Audited[] = [];
    const chain = chainReader(market);
    const audit = new Audit(
      {
        ...{ files: args.map((file) => path.resolve(file)), folders, share: shareOf(options.share) },
        ...{ seed: key.secret(), journal: path.join(context.home.folder, "audits.jsonl") },
        mostOpen: bond === 0n ? MOST_OPEN : Number(limit / bond),
      },
      {
        log,
        readReceipt: receiptIn,
        async examine(_receipt, json) {
          const folder = await packageOfReceipt(json, input, config);
          const pkg = await openPackage(folder, { families, verify: "once" });
          return examineReceipt(json, { pkg, chain });
        },
        challenge:
          options.yes === true
            ? (answer) =>
                playChallenge(answer, { court, sender, openTrace: openThreadTrace, log, pollMs: config.network.pollMs })
            : undefined,
        onResult(audited) {
          results.push(audited);
          log[audited.result === "false" ? "warn" : "info"](audited, "audited a receipt");
        },
      },
    );
    await run(audit, input, { log, pollMs: config.network.pollMs });
    const count = (result: Audited["result"]) => results.filter((each) => each.result === result).length;
    const [isTrue, isFalse, convicted] = [count("true"), count("false"), count("convicted")];
    return {
      data: { results },
      text: `${results.length} receipts: ${isTrue} true, ${isFalse} false, ${convicted} convicted, ${count("left")} left out`,
    };
  },
};

/** With a bond of nothing only the machine limits what is played at a time. */
const MOST_OPEN = 16;

type RunDeps = { log: ReturnType<typeof createLogger>; pollMs: number };

async function run(audit: Audit, { options }: CommandInput, { log, pollMs }: RunDeps): Promise<void> {
  if (options.once === true) {
    await audit.look();
    await audit.settled();
    return;
  }
  const polling = poll(() => audit.look(), {
    intervalMs: pollMs,
    onError: (error) => log.warn({ err: error }, "receipts were not seen to; it is tried again"),
  });
  log.info({ event: "ready", pid: process.pid }, "auditing");
  const stop = async () => polling[Symbol.asyncDispose]();
  // games go on at the next start: what is open is on the chain
  await tillSignal({ onFirst: stop, onSecond: stop });
}

function shareOf(option: CommandInput["options"][string]): number {
  const share = option === undefined ? 0.1 : Number(option);
  if (share >= 0 && share <= 1) return share;
  throw new FoldmarkError("cli.usage", `--share is "${String(option)}", which is no part of 1.`, {
    hint: "Give a number from 0 to 1, such as 0.1.",
  });
}
