import { existsSync } from "node:fs";
import { FoldmarkError, isSameAddress } from "@foldmark/protocol";
import { type Address, getAddress, isAddress } from "viem";
import { connectMarket, readDeployment } from "../chain/market.ts";
import { type CourtReader, openCourt } from "../disputes/court/court.ts";
import { type ChallengedEvent, readChallenges, readGameEvents } from "../disputes/game/courtEvents.ts";
import { roundsOfGame } from "../disputes/game/rounds.ts";
import { keystoreAddress } from "../keystore/keystore.ts";
import { type Command, type CommandInput, OPTION } from "./command.ts";
import { openConfig } from "./openNode.ts";
import { table } from "./table.ts";

export const disputesList: Command = {
  name: "disputes list",
  summary: "Challenges of this provider's answers, and those that this key has opened",
  options: [
    { flags: "--all", summary: "everybody's" },
    { flags: "--payee <address>", summary: "of another provider's answers" },
    ...[OPTION.rpc, OPTION.deployment],
  ],
  async run(input) {
    const { court, events, own } = await readAll(input);
    const payee = payeeOf(input);
    const wanted = events.filter(({ args }) => {
      if (payee) return isSameAddress(args.payee, payee);
      return (
        input.options.all === true ||
        own.some((key) => isSameAddress(key, args.payee) || isSameAddress(key, args.challenger))
      );
    });
    const disputes = await Promise.all(wanted.map((event) => describe(court, event)));
    return {
      data: { disputes },
      text:
        disputes.length === 0
          ? "no disputes"
          : table(
              ["dispute", "turn", "until", "root", "provider", "challenger", "answer"],
              disputes.map(({ id, turn, deadline, traceRoot, payee: of, challenger, answerDigest }) => [
                ...[short(id), turn, OVER.has(turn) ? "" : timeText(deadline), traceRoot ? "posted" : "due"],
                ...[short(of), short(challenger), short(answerDigest)],
              ]),
            ),
    };
  },
};

export const disputesShow: Command = {
  name: "disputes show",
  summary: "One dispute as rounds, from the chain's events alone",
  args: [{ name: "id", summary: "of the dispute, or its first digits" }],
  options: [OPTION.rpc, OPTION.deployment],
  async run(input) {
    const { court, events, head } = await readAll(input);
    const event = find(events, String(input.args[0]));
    const range = { fromBlock: event.blockNumber, toBlock: head };
    const [dispute, rounds] = await Promise.all([
      describe(court, event),
      readGameEvents(court, event.args, range).then((of) => roundsOfGame(court, of)),
    ]);
    const gas = new Map(rounds.map(({ transaction, gasUsed }) => [transaction, gasUsed]));
    const total = [...gas.values()].reduce((sum, used) => sum + used, 0n);
    return {
      data: { dispute, rounds, gasUsed: total },
      text: [
        `dispute ${dispute.id}`,
        `answer  ${dispute.answerDigest} of ${dispute.payee}, challenged by ${dispute.challenger}`,
        `turn    ${dispute.turn}${OVER.has(dispute.turn) ? "" : `, until ${timeText(dispute.deadline)}`}`,
        table(
          ["time", "by", "gas", "what", "hash"],
          rounds.map(({ time, by, gasUsed, what, hashes }) => [
            ...[timeText(time), short(by), String(gasUsed), what, hashes[0] ? short(hashes[0]) : ""],
          ]),
        ),
        `${total} gas in all`,
      ].join("\n"),
    };
  },
};

const OVER = new Set(["lost", "won", "none"]);

async function readAll(input: CommandInput) {
  const config = await openConfig(input);
  const market = await connectMarket({
    ...config.network,
    deployment: await readDeployment(config.network.deployment),
  });
  const court = await openCourt(market);
  const head = await market.chain.client.getBlockNumber();
  const range = { fromBlock: BigInt(market.deployment.fromBlock), toBlock: head };
  const events = await readChallenges(court, {}, range);
  const key = existsSync(config.signer.keystore) ? keystoreAddress(config.signer.keystore) : undefined;
  const own: Address[] = [...(config.payee ? [config.payee] : []), ...(key ? [key] : [])];
  return { court, events, head, own };
}

async function describe(court: CourtReader, { args: { id, answerDigest, payee, challenger } }: ChallengedEvent) {
  const [game, dispute] = await Promise.all([court.game(id), court.dispute(answerDigest)]);
  const { turn, deadline, position, depth } = game;
  return {
    ...{ id, answerDigest, payee, challenger, turn, deadline, position, depth, open: dispute.open },
    traceRoot: dispute.traceRoot ? `0x${Buffer.from(dispute.traceRoot).toString("hex")}` : null,
    convictedAt: dispute.convictedAt === 0n ? null : dispute.convictedAt,
  };
}

/** @throws `cli.usage` where it names none, or several */
function find(events: readonly ChallengedEvent[], id: string): ChallengedEvent {
  const found = events.filter(
    ({ args }) => args.id.startsWith(id.toLowerCase()) || args.id.slice(2).startsWith(id.toLowerCase()),
  );
  const [event] = found;
  if (event && found.length === 1) return event;
  throw new FoldmarkError(
    "cli.usage",
    found.length === 0 ? `There is no dispute ${id}.` : `${found.length} disputes begin with ${id}.`,
    {
      details: { id, found: found.map(({ args }) => args.id) },
      hint: "See `foldmark disputes list --all`.",
    },
  );
}

function payeeOf({ options }: CommandInput): Address | undefined {
  if (options.payee === undefined) return undefined;
  const text = String(options.payee);
  if (isAddress(text, { strict: false })) return getAddress(text);
  throw new FoldmarkError("cli.usage", `--payee is "${text}", which is no address.`);
}

const short = (hex: string): string => `${hex.slice(0, 10)}..`;
const timeText = (seconds: bigint): string =>
  new Date(Number(seconds) * 1_000).toISOString().slice(0, 19).replace("T", " ");
