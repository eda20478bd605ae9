// The clock rules once more, in seconds, so that a game can be replayed and floods be tried by the hundred.
import type { GameTerms } from "./chain.ts";

export type Clock = { payeeLeft: number; challengerLeft: number; since: number; isPayeesTurn: boolean };

export type ClockTerms = { payeeClock: number; challengerClock: number; slotStep: number; floor: number };

export const clockTerms = (terms: GameTerms): ClockTerms => ({
  payeeClock: Number(terms.payeeClockSeconds),
  challengerClock: Number(terms.challengerClockSeconds),
  slotStep: Number(terms.slotStepSeconds),
  floor: Number(terms.floorSeconds),
});

/** The last second of whoever has the turn. */
export const deadlineOf = ({ isPayeesTurn, payeeLeft, challengerLeft, since }: Clock): number =>
  since + (isPayeesTurn ? payeeLeft : challengerLeft);

/** A move at `time`: the mover keeps what it has not used, the other has at least the floor. */
export function passed(clock: Clock, time: number, { floor }: ClockTerms): Clock {
  const left = Math.max(0, deadlineOf(clock) - time);
  const { isPayeesTurn } = clock;
  return {
    payeeLeft: isPayeesTurn ? left : Math.max(clock.payeeLeft, floor),
    challengerLeft: isPayeesTurn ? Math.max(clock.challengerLeft, floor) : left,
    since: time,
    isPayeesTurn: !isPayeesTurn,
  };
}

/** When the clock of a challenge opened now ends, given the payee's last one. */
export const nextSlot = (now: number, last: number, { payeeClock, slotStep }: ClockTerms): number =>
  Math.max(now + payeeClock, last + slotStep);

/** What a conviction leaves a payee in all that it has been challenged in until then. */
export type Cap = { convictedAt: number; cappedTo: number };

/** Ends the payee's time where a conviction has bounded it since the clock was set. */
export function capped(clock: Clock, cap: Cap | undefined): Clock {
  if (!cap || cap.convictedAt < clock.since) return clock;
  const left = cap.cappedTo - (clock.isPayeesTurn ? clock.since : cap.convictedAt);
  return { ...clock, payeeLeft: Math.min(clock.payeeLeft, left) };
}

export const clockAtOpening = (
  now: number,
  slot: number,
  hasRoot: boolean,
  { challengerClock }: ClockTerms,
): Clock => ({
  payeeLeft: slot - now,
  challengerLeft: challengerClock,
  since: now,
  isPayeesTurn: !hasRoot,
});
