// Every game of a court from its events and their times alone.
import { heightOf, type Position } from "@foldmark/machine";
import { bytesToHex, type Hex, zeroHash } from "viem";
import { positionOf } from "../../../packages/node/src/disputes/court/court.ts";
import type { CourtEvent } from "../../../packages/node/src/disputes/game/courtEvents.ts";
import type { Game, Turn } from "../../../packages/node/src/disputes/game/game.ts";
import { type Cap, type Clock, type ClockTerms, capped, clockAtOpening, deadlineOf, passed } from "./clocks.ts";

type ReplayedCase = {
  openedAt: number;
  rootDue: number;
  rootAt: number;
  root: Hex;
  convictedAt: number;
  ids: Hex[];
};
type ReplayedGame = {
  digest: Hex;
  challenger: Hex;
  payee: Hex;
  clock: Clock;
  isAsked: boolean;
  isLost: boolean;
  isPaid: boolean;
  position: Position;
  depth: number;
  node: Hex;
  isLeafRevealed: boolean;
  asks: number;
  reveals: number;
};

export class Replay {
  readonly cases = new Map<Hex, ReplayedCase>();
  readonly games = new Map<Hex, ReplayedGame>();
  readonly silent = new Set<Hex>();
  readonly refuted = new Set<Hex>();
  /** Bonds that are nobody's any more, in base units. */
  burnt = 0n;
  readonly #caps = new Map<Hex, Cap>();
  readonly #terms: ClockTerms;
  readonly #stagesOf: (statementId: Hex) => number;

  /** How many stages a statement's program has is what its preimage says, which came with the answer. */
  constructor(terms: ClockTerms, stagesOf: (statementId: Hex) => number) {
    this.#terms = terms;
    this.#stagesOf = stagesOf;
  }

  take(event: CourtEvent, time: number): void {
    switch (event.eventName) {
      case "Challenged": {
        const { id, answerDigest, challenger, payee, statementId, slot } = event.args;
        const of = this.cases.get(answerDigest) ?? {
          openedAt: time,
          rootDue: slot,
          rootAt: 0,
          root: zeroHash,
          convictedAt: 0,
          ids: [],
        };
        this.cases.set(answerDigest, of);
        const cap = this.#caps.get(payee);
        if (cap?.convictedAt === time) cap.cappedTo = Math.max(cap.cappedTo, slot);
        of.ids.push(id);
        const length = this.#stagesOf(statementId);
        this.games.set(id, {
          ...{
            digest: answerDigest,
            challenger,
            payee,
            isAsked: false,
            isLost: false,
            isPaid: false,
            asks: 0,
            reveals: 0,
          },
          clock: clockAtOpening(time, slot, of.rootAt > 0, this.#terms),
          position: {
            ...{ list: "stages", height: heightOf(length), index: 0, length },
            ...{ stage: 0, t: 0, fold: 0, tensorBytes: 0 },
          },
          ...{ depth: 0, node: zeroHash, isLeafRevealed: false },
        });
        return;
      }
      case "Posted": {
        const of = this.#case(event.args.answerDigest);
        [of.rootAt, of.root] = [time, event.args.traceRoot];
        return;
      }
      case "Asked": {
        const game = this.#game(event.args.id);
        game.clock = passed(this.#clock(game), time, this.#terms);
        [game.isAsked, game.position, game.depth, game.node] = [
          true,
          positionOf(event.args.position),
          0,
          event.args.node,
        ];
        game.asks++;
        return;
      }
      case "Revealed":
      case "LeafRevealed": {
        const game = this.#game(event.args.id);
        game.clock = passed(this.#clock(game), time, this.#terms);
        if ("depth" in event.args) game.depth = event.args.depth;
        else game.isLeafRevealed = true;
        game.reveals++;
        return;
      }
      case "Silent":
        this.silent.add(event.args.answerDigest);
        return;
      case "Refuted":
        this.refuted.add(event.args.answerDigest);
        return;
      case "Convicted":
        this.#case(event.args.answerDigest).convictedAt = time;
        this.#cap(event.args.payee, time);
        return;
      case "Lost":
        this.#game(event.args.id).isLost = true;
        this.burnt += event.args.burnt;
        return;
      case "BondTaken":
        this.#game(event.args.id).isPaid = true;
    }
  }

  /** A game as the court should have it. */
  game(id: Hex): Omit<Game, "id" | "answerDigest" | "challenger" | "node"> & { node: Hex } {
    const game = this.#game(id);
    const { position, depth, isLeafRevealed } = game;
    const node = game.isAsked ? game.node : this.#case(game.digest).root;
    return { turn: this.turn(id), deadline: BigInt(this.deadline(id)), position, depth, isLeafRevealed, node };
  }

  turn(id: Hex): Turn {
    const game = this.#game(id);
    const { convictedAt } = this.#case(game.digest);
    const { isPayeesTurn } = this.#clock(game);
    if (game.isLost) return "lost";
    if (convictedAt > 0) return !isPayeesTurn && convictedAt > this.deadline(id) ? "lost" : "won";
    return isPayeesTurn ? "payee" : "challenger";
  }

  deadline(id: Hex): number {
    const game = this.#game(id);
    const { rootAt, rootDue, openedAt } = this.#case(game.digest);
    if (game.isAsked || !game.clock.isPayeesTurn || rootAt > 0) return deadlineOf(this.#clock(game));
    const cap = this.#caps.get(game.payee);
    return cap && cap.convictedAt >= openedAt ? Math.min(rootDue, cap.cappedTo) : rootDue;
  }

  isOpen = (id: Hex): boolean => ["payee", "challenger"].includes(this.turn(id));

  /** Challenges of an answer that are neither lost nor won, in the order of their opening. */
  openOf = (digest: Hex): Hex[] => (this.cases.get(digest)?.ids ?? []).filter(this.isOpen);

  openAgainst = (payee: Hex): Hex[] =>
    [...this.games].flatMap(([id, game]) => (game.payee === payee && this.isOpen(id) ? [id] : []));

  /** A root stops the payee's clock in every challenge of the answer that has not gone on since. */
  #clock(game: ReplayedGame): Clock {
    const { rootAt } = this.#case(game.digest);
    const cap = this.#caps.get(game.payee);
    const clock = capped(game.clock, cap);
    const isStopped = !game.isAsked && clock.isPayeesTurn && rootAt > 0;
    return isStopped ? capped(passed(clock, rootAt, this.#terms), cap) : clock;
  }

  /** After a conviction a payee has a clock, and a step for each challenge that nobody has ended. */
  #cap(payee: Hex, time: number): void {
    const goOn = [...this.games.values()].filter(
      (game) => game.payee === payee && !game.isLost && this.#case(game.digest).convictedAt === 0,
    );
    const { payeeClock, slotStep } = this.#terms;
    this.#caps.set(payee, { convictedAt: time, cappedTo: time + payeeClock + goOn.length * slotStep });
  }

  #case(digest: Hex): ReplayedCase {
    const found = this.cases.get(digest);
    if (!found) throw new Error(`an event is about answer ${digest}, which no event has told of`);
    return found;
  }

  #game(id: Hex): ReplayedGame {
    const found = this.games.get(id);
    if (!found) throw new Error(`an event is about challenge ${id}, which no event has told of`);
    return found;
  }
}

/** The same shape from what the court says. */
export const comparable = ({ turn, deadline, position, depth, isLeafRevealed, node }: Game) => ({
  ...{ turn, deadline, position, depth, isLeafRevealed },
  node: bytesToHex(node),
});
