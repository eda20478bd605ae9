import { describe, expect, it, vi } from "vitest";
import { Scheduler } from "../src/serving/scheduler.ts";
import { MODEL, SIMULATION } from "./scriptedEngine.ts";

const ASSET = MODEL.asset;

/** A task of the payer whose letter its name begins with, that runs until it is told to end, and notes when it starts. */
function aTask(name: string, started: string[], asset = ASSET) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    ...{ payer: name.charAt(0), asset, end: resolve },
    run() {
      started.push(name);
      return promise;
    },
  };
}

describe("Scheduler", () => {
  it("runs as many at a time as there is capacity for, here one, first come first served", async () => {
    const scheduler = new Scheduler({ limit: 8, capacity: () => 1 });
    const started: string[] = [];
    const tasks = ["a", "b", "c"].map((name) => aTask(name, started));
    for (const task of tasks) scheduler.add(task);
    expect({ started, running: scheduler.running, queued: scheduler.queued }).toEqual({
      started: ["a"],
      running: 1,
      queued: 2,
    });
    for (const task of tasks) task.end();
    await scheduler.idle();
    expect({ started, running: scheduler.running, queued: scheduler.queued }).toEqual({
      ...{ started: ["a", "b", "c"], running: 0, queued: 0 },
    });
  });

  it("refuses what finds the queue full, and says when to come back", () => {
    const scheduler = new Scheduler({ limit: 1, capacity: () => 1 });
    const started: string[] = [];
    const place = { payer: "a", asset: ASSET };
    scheduler.checkRoom(place);
    scheduler.add(aTask("a1", started));
    scheduler.checkRoom(place);
    scheduler.add(aTask("a2", started));
    expect(() => scheduler.checkRoom(place)).toThrow(
      expect.objectContaining({
        code: "node.busy",
        details: expect.objectContaining({ queued: 1, retryAfterSeconds: 1 }),
      }),
    );
  });

  it("takes a waiting task out, and leaves a running one alone", async () => {
    const scheduler = new Scheduler({ limit: 8, capacity: () => 1 });
    const started: string[] = [];
    const [a, b] = [aTask("a", started), aTask("b", started)];
    scheduler.add(a);
    scheduler.add(b);
    expect(scheduler.remove(b)).toBe(true);
    expect(scheduler.remove(a)).toBe(false);
    a.end();
    await scheduler.idle();
    expect(started).toEqual(["a"]);
  });

  it("runs as many of each model as its capacity says, and as many more as it rises by", async () => {
    const capacity = { [ASSET]: 2, [SIMULATION.asset]: 1 } as Record<string, number>;
    const scheduler = new Scheduler({ limit: 8, capacity: (asset) => capacity[asset] ?? 0 });
    const started: string[] = [];
    const chats = ["a1", "b1", "c1", "d1"].map((name) => aTask(name, started));
    const simulations = ["e1", "f1"].map((name) => aTask(name, started, SIMULATION.asset));
    for (const task of [...chats, ...simulations]) scheduler.add(task);
    expect(started).toEqual(["a1", "b1", "e1"]);
    expect([scheduler.running, scheduler.queued]).toEqual([3, 3]);
    capacity[ASSET] = 3;
    chats[0]?.end();
    await expect.poll(() => started).toEqual(["a1", "b1", "e1", "c1", "d1"]);
    expect([scheduler.running, scheduler.queued]).toEqual([4, 1]);
  });

  it("lets payers take turns, so that one with many requests holds up nobody", async () => {
    const scheduler = new Scheduler({ limit: 60, capacity: () => 2 });
    const started: string[] = [];
    const many = Array.from({ length: 50 }, (_, i) => aTask(`m${i + 1}`, started));
    for (const task of many) scheduler.add(task);
    for (const name of ["a1", "a2", "b1"]) scheduler.add(aTask(name, started));
    many[0]?.end();
    many[1]?.end();
    await expect.poll(() => started.length).toBe(4);
    many[2]?.end();
    await expect.poll(() => started.length).toBe(5);
    // two of the many were there first, then everybody has a turn
    expect(started).toEqual(["m1", "m2", "m3", "a1", "b1"]);
  });

  it("has room for a payer of whom nothing waits when another has filled the queue", () => {
    const scheduler = new Scheduler({ limit: 2, capacity: () => 1 });
    for (const name of ["m1", "m2", "m3"]) scheduler.add(aTask(name, []));
    const isFull = (payer: string) => expect.soft(() => scheduler.checkRoom({ payer, asset: ASSET })).toThrow();
    isFull("m");
    for (const payer of ["a", "b"]) {
      scheduler.checkRoom({ payer, asset: ASSET });
      scheduler.add(aTask(`${payer}1`, []));
      isFull(payer);
    }
    isFull("c");
  });

  it("expects room sooner where more run at a time", async () => {
    const secondsToRoom = async (capacity: number) => {
      vi.useFakeTimers();
      const scheduler = new Scheduler({ limit: 0, capacity: () => capacity });
      const slow = aTask("a0", []);
      scheduler.add(slow);
      vi.advanceTimersByTime(40_000);
      slow.end();
      await scheduler.idle();
      vi.useRealTimers();
      for (let i = 1; i <= capacity; i++) scheduler.add(aTask(`a${i}`, []));
      try {
        scheduler.checkRoom({ payer: "a", asset: ASSET });
      } catch (error) {
        return (error as { details: { retryAfterSeconds: number } }).details.retryAfterSeconds;
      }
      return undefined;
    };
    // an average of 0.7 s + 0.3 * 40 s
    expect([await secondsToRoom(1), await secondsToRoom(4)]).toEqual([13, 4]);
  });
});
