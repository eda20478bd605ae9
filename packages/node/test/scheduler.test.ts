import { describe, expect, it } from "vitest";
import { Scheduler } from "../src/serving/scheduler.ts";

/** A task that runs until it is told to end, and notes its name when it starts. */
function aTask(name: string, started: string[]) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    end: resolve,
    run() {
      started.push(name);
      return promise;
    },
  };
}

describe("Scheduler", () => {
  it("runs one at a time, first come first served", async () => {
    const scheduler = new Scheduler({ limit: 8 });
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
    const scheduler = new Scheduler({ limit: 1 });
    const started: string[] = [];
    scheduler.checkRoom();
    scheduler.add(aTask("a", started));
    scheduler.checkRoom();
    scheduler.add(aTask("b", started));
    expect(() => scheduler.checkRoom()).toThrow(
      expect.objectContaining({
        code: "node.busy",
        details: expect.objectContaining({ queued: 1, retryAfterSeconds: 1 }),
      }),
    );
  });

  it("takes a waiting task out, and leaves a running one alone", async () => {
    const scheduler = new Scheduler({ limit: 8 });
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
});
