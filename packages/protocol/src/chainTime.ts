/** Unix seconds as every contract sees them. */
export type ChainSeconds = bigint;

/** How much longer than the window a node signs, so that the answer still covers it when the payer reads it. */
export const SIGNING_MARGIN_SECONDS = 120n;

/**
 * The time that signatures and deadlines of contracts are compared with. A local chain may run ahead of the clock and an
 * idle one stands still: whichever is later is what the next block can say.
 */
export function chainNow({
  latestBlockTimestamp,
  ownClockMs,
}: {
  latestBlockTimestamp: bigint;
  ownClockMs: number;
}): ChainSeconds {
  const own = BigInt(Math.floor(ownClockMs / 1000));
  return latestBlockTimestamp > own ? latestBlockTimestamp : own;
}

/** `until` of an Answer that a node signs now. */
export function untilOf({ now, windowSeconds }: { now: ChainSeconds; windowSeconds: bigint }): ChainSeconds {
  return now + windowSeconds + SIGNING_MARGIN_SECONDS;
}

/** Number of the last block that is `confirmations` deep: with 1 that is the head itself. Never below 0. */
export function confirmedBlock({ head, confirmations }: { head: bigint; confirmations: number }): bigint {
  const depth = BigInt(Math.max(confirmations, 1) - 1);
  return head > depth ? head - depth : 0n;
}

/** Confirmations where the settings say nothing: a local chain has no reorganisations to wait for. */
export function defaultConfirmations(chainId: number): number {
  return chainId === 31337 ? 1 : 12;
}
