import type { SkipReason } from "@foldmark/protocol";
import type { Address } from "viem";

/** What the gateway has seen of its providers lately. In memory: a new process gives everybody a new chance. */
export type Health = {
  /** Undefined while the provider may be asked. */
  skipReason(provider: Address): SkipReason | undefined;
  succeeded(provider: Address): void;
  /** Each failure in a row doubles the time for which the provider is left alone. */
  failed(provider: Address): void;
  /** Gave tokens that are not the model's: left alone for long. */
  marked(provider: Address): void;
};

export type HealthOptions = { firstBackoffMs?: number; longestBackoffMs?: number; markedMs?: number };

export function openHealth(
  { firstBackoffMs = 2_000, longestBackoffMs = 300_000, markedMs = 3_600_000 }: HealthOptions,
  { now }: { now: () => number },
): Health {
  const records = new Map<string, { failures: number; until: number; isMarked: boolean }>();
  return {
    skipReason(provider) {
      const record = records.get(provider);
      if (!record || now() >= record.until) return undefined;
      return record.isMarked ? "mismatch" : "backing_off";
    },
    succeeded(provider) {
      if (!records.get(provider)?.isMarked) records.delete(provider);
    },
    failed(provider) {
      const failures = (records.get(provider)?.failures ?? 0) + 1;
      const backoffMs = Math.min(firstBackoffMs * 2 ** (failures - 1), longestBackoffMs);
      const record = records.get(provider);
      if (record?.isMarked && now() < record.until) return;
      records.set(provider, { failures, until: now() + backoffMs, isMarked: false });
    },
    marked(provider) {
      records.set(provider, { failures: 1, until: now() + markedMs, isMarked: true });
    },
  };
}
