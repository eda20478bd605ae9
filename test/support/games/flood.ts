// An honest payee under a flood of challenges, by the clock rules alone: what it is given to do, and whether it is in time.
import { type Clock, type ClockTerms, clockAtOpening, deadlineOf, nextSlot, passed } from "./clocks.ts";

/** Seconds that the payee needs for each trace and each reveal, and reveals of each game. */
export type Work = {
  trace: number;
  reveal: number;
  reveals: number;
  /** Traces that it keeps; one that others have pushed out is built again. All of them where it says nothing. */
  kept?: number;
};

/** A challenge of a flood: when it comes, of which answer, and how long its challenger thinks before each move. */
export type Planned = { at: number; answer: number; thinks(move: number): number };

export type Flood = { terms: ClockTerms; work: Work; plan: readonly Planned[] };

type Game = Planned & { clock: Clock; opened: boolean; moves: number; done: boolean };

/**
 * Plays a flood to its end. The payee has one machine and does what is due first; a challenger never loses by its clock.
 * @returns how many seconds it had left where it was closest; negative: it fell silent
 */
export function leastSlack({ terms, work, plan }: Flood): number {
  const games: Game[] = plan
    .map((each) => ({ ...each, clock: clockAtOpening(0, 0, false, terms), opened: false, moves: 0, done: false }))
    .sort((a, b) => a.at - b.at);
  const roots = new Map<number, { due: number; at: number | undefined }>();
  let kept: number[] = [];
  let [now, lastSlot, least] = [0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

  const rootOf = (game: Game) => roots.get(game.answer) ?? { due: 0, at: undefined };
  const isMoved = (game: Game) => game.moves > 0 || game.clock.isPayeesTurn === false;
  const clockOf = (game: Game): Clock => {
    const { at } = rootOf(game);
    return !isMoved(game) && at !== undefined ? passed(game.clock, at, terms) : game.clock;
  };
  const dueOf = (game: Game) =>
    !isMoved(game) && rootOf(game).at === undefined ? rootOf(game).due : deadlineOf(clockOf(game));
  /** When the challenger moves next: it thinks, but not longer than its clock allows. */
  const asksAt = (game: Game) => {
    const clock = clockOf(game);
    return Math.min(clock.since + game.thinks(game.moves), deadlineOf(clock));
  };

  const happensAt = (game: Game): number => {
    if (!game.opened) return game.at;
    return game.done || clockOf(game).isPayeesTurn ? Number.POSITIVE_INFINITY : asksAt(game);
  };
  /** Everything that the challengers do up to a second. */
  const letThemMove = (to: number) => {
    for (;;) {
      const next = games.reduce((first, each) => (happensAt(each) < happensAt(first) ? each : first), games[0] as Game);
      const time = happensAt(next);
      if (time > to) return;
      if (next.opened) {
        next.clock = passed(clockOf(next), time, terms);
        next.moves++;
      } else {
        lastSlot = nextSlot(time, lastSlot, terms);
        const root = roots.get(next.answer) ?? { due: lastSlot, at: undefined };
        roots.set(next.answer, root);
        next.clock = clockAtOpening(time, lastSlot, root.at !== undefined, terms);
        next.opened = true;
      }
    }
  };

  while (games.some(({ done }) => !done)) {
    letThemMove(now);
    const owed = games.filter((game) => game.opened && !game.done && clockOf(game).isPayeesTurn);
    if (owed.length === 0) {
      now = Math.min(...games.map(happensAt));
      continue;
    }
    const first = owed.reduce((a, b) => (dueOf(b) < dueOf(a) ? b : a));
    const root = rootOf(first);
    const due = dueOf(first);
    const isRoot = !isMoved(first) && root.at === undefined;
    const isKept = kept.includes(first.answer);
    kept = [...kept.filter((answer) => answer !== first.answer), first.answer].slice(-(work.kept ?? plan.length));
    now += isRoot ? work.trace : work.reveal + (isKept ? 0 : work.trace);
    letThemMove(now - 1);
    least = Math.min(least, due - now);
    if (least < 0) return least;
    if (isRoot) root.at = now;
    else {
      first.clock = passed(clockOf(first), now, terms);
      first.done = first.moves >= work.reveals;
    }
  }
  return least;
}
