import type { SkipReason } from "@foldmark/protocol";
import type { Address } from "viem";

/** What the gateway has seen of its providers lately. In memory: a new process gives everybody a new chance. */
export type Health = {
  /** Undefined while the provider may be asked. */
  skipReason(provider: Address): SkipReason | undefined;
  succeeded(provider: Address): void;
  /** Each failure in a row doubles the time for which the provider is left alone; requests that fail at once are one failure. */
  failed(provider: Address): void;
  /** Gave tokens that are not the model's: left alone for longer, and each time four times as long. */
  marked(provider: Address): void;
};

export type HealthOptions = {
  firstBackoffMs?: number;
  longestBackoffMs?: number;
  firstMarkMs?: number;
  longestMarkMs?: number;
};

/** `lies` outlive a success: who lies now and then is not cleared by answering in between. */
type Conduct = { failures: number; lies: number; until: number; reason: SkipReason };

const NEW: Conduct = { failures: 0, lies: 0, until: 0, reason: "backing_off" };

export function openHealth(
  {
    firstBackoffMs = 2_000,
    longestBackoffMs = 300_000,
    firstMarkMs = 60_000,
    longestMarkMs = 3_600_000,
  }: HealthOptions,
  { now }: { now: () => number },
): Health {
  const records = new Map<string, Conduct>();
  const of = (provider: Address): Conduct => records.get(provider) ?? NEW;
  const isLeftAlone = ({ until }: Conduct): boolean => now() < until;
  return {
    skipReason(provider) {
      const record = of(provider);
      return isLeftAlone(record) ? record.reason : undefined;
    },
    succeeded(provider) {
      const { lies, ...record } = of(provider);
      if (lies === 0) records.delete(provider);
      else if (!(record.reason === "mismatch" && isLeftAlone({ ...record, lies })))
        records.set(provider, { ...NEW, lies });
    },
    failed(provider) {
      const record = of(provider);
      if (isLeftAlone(record)) return;
      const backoffMs = Math.min(firstBackoffMs * 2 ** record.failures, longestBackoffMs);
      const failures = record.failures + 1;
      records.set(provider, { ...record, failures, until: now() + backoffMs, reason: "backing_off" });
    },
    marked(provider) {
      const record = of(provider);
      if (record.reason === "mismatch" && isLeftAlone(record)) return;
      const markMs = Math.min(firstMarkMs * 4 ** record.lies, longestMarkMs);
      records.set(provider, { ...record, lies: record.lies + 1, until: now() + markMs, reason: "mismatch" });
    },
  };
}
