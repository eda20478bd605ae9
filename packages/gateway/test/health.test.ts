import { baseUnits, FoldmarkError } from "@foldmark/protocol";
import type { Address } from "viem";
import { describe, expect, it } from "vitest";
import { openHealth } from "../src/providers/health.ts";
import { withFailover } from "../src/serving/failover.ts";

const [A, B, C] = ["0xaa", "0xbb", "0xcc"] as Address[] as [Address, Address, Address];

function open() {
  let time = 0;
  const health = openHealth({}, { now: () => time });
  /** Seconds until the provider may be asked again. */
  const wait = (provider: Address) => {
    const from = time;
    while (health.skipReason(provider)) time += 500;
    return (time - from) / 1000;
  };
  return { health, wait };
}

describe("openHealth", () => {
  it("asks a provider again after a wait that doubles from seconds to minutes, and starts anew after a success", () => {
    const { health, wait } = open();
    const waits = Array.from({ length: 10 }, () => {
      health.failed(A);
      expect(health.skipReason(A)).toBe("backing_off");
      return wait(A);
    });
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    health.succeeded(A);
    health.failed(A);
    expect(wait(A)).toBe(2);
  });

  it("counts requests that fail at once as one failure", () => {
    const { health, wait } = open();
    for (let i = 0; i < 20; i++) health.failed(A);
    expect(wait(A)).toBe(2);
  });

  it("leaves a liar alone for ever longer, whatever it answers in between", () => {
    const { health, wait } = open();
    const waits = Array.from({ length: 5 }, () => {
      health.marked(A);
      health.marked(A);
      health.failed(A);
      health.succeeded(A);
      expect(health.skipReason(A)).toBe("mismatch");
      const waited = wait(A);
      health.succeeded(A);
      return waited;
    });
    expect(waits).toEqual([60, 240, 960, 3600, 3600]);
  });
});

describe("withFailover", () => {
  const prices = { in: baseUnits(1n), out: baseUnits(1n), unit: baseUnits(1n) };
  async function run(health: ReturnType<typeof openHealth>, ask: (provider: Address) => string) {
    const asked: Address[] = [];
    const route = { order: [A, B, C].map((provider) => ({ provider, prices })), record: {} as never, ineligible: [] };
    const outcome = await withFailover(
      { route, reroute: async () => undefined, delivered: () => 0 },
      async ({ provider }) => {
        asked.push(provider);
        return ask(provider);
      },
      { health, tally: { add: () => {} } as never, log: { warn: () => {} } as never },
    ).catch((error: FoldmarkError) => ({
      skipped: error.details.providers as { provider: Address; reason: string }[],
    }));
    return { asked, skipped: outcome.skipped.map(({ provider, reason }) => `${provider} ${reason}`) };
  }
  const down = (): never => {
    throw new FoldmarkError("provider.unreachable", "down");
  };

  it("lists who is passed over, in the public order", async () => {
    const { health } = open();
    health.marked(A);
    health.failed(B);
    expect(await run(health, () => "answer")).toEqual({ asked: [C], skipped: [`${A} mismatch`, `${B} backing_off`] });
  });

  it("asks one that was passed over after all when nobody else answers, and a liar never", async () => {
    const { health } = open();
    health.failed(A);
    health.marked(B);
    expect(await run(health, (provider) => (provider === C ? down() : "answer"))).toEqual({
      asked: [C, A],
      skipped: [`${B} mismatch`, `${C} unreachable`],
    });
  });

  it("asks everybody once when all of them are backing off", async () => {
    const { health } = open();
    for (const provider of [A, B, C]) health.failed(provider);
    expect(await run(health, down)).toEqual({
      asked: [A, B, C],
      skipped: [`${A} unreachable`, `${B} unreachable`, `${C} unreachable`],
    });
  });
});
