import { clearRefutation, type Program, programBytes, type Refutation } from "@foldmark/machine";
import {
  type Answer,
  answerDigest,
  chainNow,
  codeOf,
  domainOf,
  FoldmarkError,
  type Preimage,
} from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import type { Hex } from "viem";
import { readProvider } from "../chain/market.ts";
import type { Sender } from "../chain/transact.ts";
import type { CourtReader } from "./court/court.ts";
import { type CourtMoves, courtMoves, type Moved } from "./court/courtMoves.ts";
import { endExpired } from "./court/expired.ts";
import { readChallenges } from "./game/courtEvents.ts";
import { isOver, type Turn } from "./game/game.ts";
import { type Look, Player, revertName } from "./player.ts";
import type { DisputedJob, DisputeTrace, OpenTrace } from "./traces/disputeTrace.ts";
import { treeClient } from "./tree/treeClient.ts";

/** A signed answer that is to be challenged, with everything that it is about. */
export type ChallengedAnswer = {
  answer: Answer;
  signature: Hex;
  preimage: Preimage;
  program: Program;
  job: DisputedJob;
};

export type ChallengeDeps = {
  court: CourtReader;
  sender: Sender;
  openTrace: OpenTrace;
  log: Logger;
  /** Called after every move that this challenger has made. */
  onMove?: (moved: Moved, look: Look | undefined) => void;
  /** Pause between two looks at the chain. */
  pollMs?: number;
  /** Whether the payee's node is asked for its tree before the court is; by default it is. */
  asksNode?: boolean;
  clock?: () => number;
};

/** How a challenge ended. Amounts in base units. */
export type ChallengeOutcome = {
  id: Hex;
  answerDigest: Hex;
  result: "convicted" | "lost" | "conceded";
  /** What came back to the challenger in all: its bond, and the reward where it was the one that opened first. */
  paid: bigint;
  moves: Moved[];
  gasUsed: bigint;
  /** Wei. */
  fees: bigint;
};

const POLL_MS = 1_000;

/**
 * Challenges an answer and plays until it is over, then takes bond and reward. Called again after a crash, it goes on where
 * the chain says the game is.
 * @throws `check.failed` for an answer that is true, before anything is sent; `chain.*`, `engine.failed`, `gas.too_low`
 */
export async function playChallenge(of: ChallengedAnswer, deps: ChallengeDeps): Promise<ChallengeOutcome> {
  const { court, sender } = deps;
  const moves = courtMoves(court, sender);
  const digest = answerDigest(domainOf(court.market.deployment), of.answer);
  const id = await court.challengeId(digest, sender.account.address);
  const done: Moved[] = [];
  const note = (moved: Moved, look?: Look) => {
    done.push(moved);
    deps.onMove?.(moved, look);
  };

  // a T out of range makes a statement false by itself, and has no trace
  const clear = clearRefutation(programBytes(of.program), of.preimage.T);
  const own = clear ? undefined : await deps.openTrace(of.job);
  try {
    if (own && !own.firstFalse)
      throw new FoldmarkError("check.failed", "The answer is true: computed again, its last stage is 1 everywhere.", {
        details: { answerDigest: digest, T: own.T },
        hint: "A challenge would cost the bond.",
      });
    const play = { ...deps, id, answerDigest: digest, moves, own, clear, note };
    let turn: Turn = "none";
    // a reorganisation may take the opening itself back; it is opened again, for as long as the answer can be challenged
    while (turn === "none") {
      if ((await court.game(id)).turn === "none") {
        const approved = await moves.approve();
        if (approved) note(approved);
        await openChallenge(of, { moves, note });
      }
      const last = await playOpened(of, play);
      if (last?.status === "conceded") return outcome({ id, digest, result: "conceded", paid: 0n, done });
      turn = (await court.game(id)).turn;
    }
    const paid = turn === "won" ? await collect({ court, moves, id, note, account: sender.account.address }) : 0n;
    return outcome({ id, digest, result: turn === "won" ? "convicted" : "lost", paid, done });
  } finally {
    await own?.close();
  }
}

/** What an earlier process sent may be mined just before this: then the challenge is open all the same. */
async function openChallenge(of: ChallengedAnswer, { moves, note }: Pick<Opened, "moves" | "note">): Promise<void> {
  try {
    note(await moves.challenge(of));
  } catch (error) {
    if (revertName(error) !== "AlreadyChallenged") throw error;
  }
}

type Opened = ChallengeDeps & {
  id: Hex;
  answerDigest: Hex;
  moves: CourtMoves;
  own: DisputeTrace | undefined;
  clear: Refutation | undefined;
  note: (moved: Moved, look?: Look) => void;
};

/** Plays a challenge that is open to its end, or until a reorganisation has taken its opening back. */
async function playOpened(of: ChallengedAnswer, deps: Opened): Promise<Look | undefined> {
  const { court, id, answerDigest, moves, own, clear, note, log, clock } = deps;
  if (clear) {
    if (!isOver(await court.game(id))) await refuteClear(of, { ...deps, clear });
    return undefined;
  }
  if (!own) return undefined;
  const fromBlock = await openedAt(court, { answerDigest, id });
  const source = deps.asksNode === false ? undefined : await sourceOf(of, deps);
  const player = new Player(
    { id, fromBlock, own, preimage: of.preimage, program: of.program, source },
    { court, moves, log, ...(clock ? { clock } : {}) },
  );
  return toTheEnd(player, { ...deps, note });
}

/** Challenges that were opened before and have run out are taken off the list first. */
async function refuteClear(
  { preimage }: ChallengedAnswer,
  { court, id, answerDigest, moves, clear, note, clock = Date.now }: Opened & { clear: Refutation },
): Promise<void> {
  try {
    note(await moves.refute(id, preimage, clear));
  } catch (error) {
    if (revertName(error) === "AlreadyConvicted") return; // by somebody else
    if (revertName(error) !== "ExpiredFirst") throw error;
    const { timestamp, number } = await court.market.chain.client.getBlock();
    const now = chainNow({ latestBlockTimestamp: timestamp, ownClockMs: clock() });
    await endExpired({ court, moves }, { answerDigest, head: number, now });
    note(await moves.refute(id, preimage, clear));
  }
}

/** Looks again and again; a chain that does not answer for a while changes nothing. */
async function toTheEnd(
  player: Player,
  { log, pollMs = POLL_MS, note }: ChallengeDeps & { note: (moved: Moved, look: Look) => void },
): Promise<Look> {
  for (;;) {
    try {
      const look = await player.lookAsChallenger();
      if (look.moved) note(look.moved, look);
      if (look.status === "over" || look.status === "conceded") return look;
      if (look.status === "moved") continue;
    } catch (error) {
      if (codeOf(error) !== "chain.unreachable") throw error;
      log.warn({ code: codeOf(error) }, "the chain does not answer; the game is looked at again");
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Takes back what a conviction brings. Nothing is taken twice: what is there says what is still to be done. */
async function collect({
  court,
  moves,
  id,
  note,
  account,
}: {
  court: CourtReader;
  moves: CourtMoves;
  id: Hex;
  note: (moved: Moved) => void;
  account: Hex;
}): Promise<bigint> {
  try {
    note(await moves.takeBond(id));
  } catch (error) {
    if (!(error instanceof FoldmarkError) || error.details.error !== "NoBond") throw error; // it was taken before
  }
  const credits = await court.creditsOf(account);
  if (credits.court > 0n) note(await moves.withdraw());
  if (credits.market > 0n) note(await moves.withdrawReward());
  return credits.court + credits.market;
}

async function openedAt(court: CourtReader, { answerDigest, id }: { answerDigest: Hex; id: Hex }): Promise<bigint> {
  const range = {
    fromBlock: BigInt(court.market.deployment.fromBlock),
    toBlock: await court.market.chain.client.getBlockNumber(),
  };
  const events = await readChallenges(court, { answerDigest }, range);
  return events.find(({ args }) => args.id === id)?.blockNumber ?? range.fromBlock;
}

async function sourceOf(
  { answer }: ChallengedAnswer,
  { court, sender, id, answerDigest, clock = Date.now }: ChallengeDeps & { id: Hex; answerDigest: Hex },
) {
  const provider = await readProvider(court.market, answer.payee);
  const { account } = sender;
  if (!provider || !URL.canParse(provider.endpoint) || account.type !== "local") return undefined;
  const now = async () => {
    const { timestamp } = await court.market.chain.client.getBlock();
    return chainNow({ latestBlockTimestamp: timestamp, ownClockMs: clock() });
  };
  return treeClient({ endpoint: provider.endpoint, id, answerDigest, signer: account, now });
}

function outcome({
  id,
  digest,
  result,
  paid,
  done,
}: Pick<ChallengeOutcome, "id" | "result" | "paid"> & { digest: Hex; done: Moved[] }): ChallengeOutcome {
  const sum = (of: "gasUsed" | "fee") => done.reduce((total, moved) => total + moved[of], 0n);
  return { id, answerDigest: digest, result, paid, moves: done, gasUsed: sum("gasUsed"), fees: sum("fee") };
}
