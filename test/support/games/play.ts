// One game of two seats, to its end.
import type { Address, Hex } from "viem";
import type { CourtEvent } from "../../../packages/node/src/disputes/game/courtEvents.ts";
import { isOver, type Turn } from "../../../packages/node/src/disputes/game/game.ts";
import type { PayeeMove } from "../../../packages/node/src/disputes/game/payeeMove.ts";
import type { Sent } from "./chain.ts";
import { calls, send } from "./moves.ts";
import { challengersMove, payeesMove } from "./seats.ts";
import type { SignedAnswer, Table } from "./table.ts";
import { courtEvents, readDispute, readGame } from "./view.ts";

export type Played = {
  id: Hex;
  result: Turn;
  /** Moves by name, in order. */
  moves: string[];
  gasUsed: number;
  largestGas: number;
};

/** More than any game of a tiny program takes. */
const MOST_MOVES = 60;

/** The automatic challenger against a payee that shows what it has and is silent where it has nothing. */
export async function playOut(
  { chain }: Table,
  of: SignedAnswer,
  { challenger, payee }: { challenger: Address; payee: Address },
): Promise<Played> {
  const id = await chain.read("court", { functionName: "challengeId", args: [of.digest, challenger] });
  const events: CourtEvent[] = [];
  const played: Played = { id, result: "none", moves: [], gasUsed: 0, largestGas: 0 };
  let isRefused = false;
  const note = (move: string, sent: Awaited<ReturnType<typeof send>>) => {
    if (!sent?.ok) throw new Error(`${of.subject.name}: ${move} reverted: ${sent?.error}`);
    events.push(...courtEvents(chain, sent.logs));
    played.moves.push(move);
    played.gasUsed += sent.gasUsed;
    played.largestGas = Math.max(played.largestGas, sent.gasUsed);
  };

  note("challenge", await chain.send(challenger, "court", calls.challenge(of)));
  while (played.moves.length < MOST_MOVES) {
    const game = await readGame(chain, id);
    if (!game) throw new Error("a game that was opened is gone");
    if (isOver(game)) return { ...played, result: game.turn };
    const at = { game, dispute: await readDispute(chain, of.digest), now: chain.now };
    const move = await challengersMove(of.subject, at, events);
    const own = { chain, by: challenger, id, of };
    if (move.kind !== "wait") {
      const sent = await send(own, move);
      if (!sent) throw new Error(`${of.subject.name}: the challenger would rather ${move.kind}`);
      note(move.kind, sent);
      continue;
    }
    const answer: PayeeMove | undefined = isRefused ? undefined : await payeesMove(of.subject, at);
    const sent: Sent | undefined = answer && (await send({ ...own, by: payee }, answer));
    if (answer && sent?.ok) note(answer.kind, sent);
    // what it has is not what was asked for: it has nothing else
    else if (sent?.ok === false) isRefused = played.moves.push(`${answer?.kind} refused: ${sent.error}`) > 0;
    else await chain.waitUntil(Math.max(chain.now, Number(game.deadline)) + 1);
  }
  throw new Error(`${of.subject.name}: no end after ${played.moves.join(", ")}`);
}
