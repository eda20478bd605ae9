import type { Hex } from "viem";
import { readChallenges } from "../game/courtEvents.ts";
import type { CourtReader } from "./court.ts";
import type { CourtMoves } from "./courtMoves.ts";

/** Challenges of one transaction: some 20,000 gas each. */
const AT_ONCE = 200;

/**
 * Ends every challenge of an answer whose challenger has fallen silent: a conviction waits until those that were opened
 * before are off its list.
 */
export async function endExpired(
  { court, moves }: { court: CourtReader; moves: CourtMoves },
  { answerDigest, head, now }: { answerDigest: Hex; head: bigint; now: bigint },
): Promise<void> {
  const range = { fromBlock: BigInt(court.market.deployment.fromBlock), toBlock: head };
  const ids = (await readChallenges(court, { answerDigest }, range)).map(({ args }) => args.id);
  const expired: Hex[] = [];
  for (const id of ids) {
    const { turn, deadline } = await court.game(id);
    if (turn === "challenger" && now > deadline) expired.push(id);
  }
  for (let at = 0; at < expired.length; at += AT_ONCE) await moves.timeout(expired.slice(at, at + AT_ONCE));
}
