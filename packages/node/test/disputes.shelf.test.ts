import { type Hex, numberToHex } from "viem";
import { describe, expect, it } from "vitest";
import type { DisputedJob, DisputeTrace } from "../src/disputes/traces/disputeTrace.ts";
import { TraceShelf } from "../src/disputes/traces/traceShelf.ts";

const JOB: DisputedJob = { folder: "/nowhere", T: 1, request: [], claimed: [] };
const digest = (n: number): Hex => numberToHex(n, { size: 32 });

/** A shelf whose traces are ready at once, or never. */
function aShelf({ isReady = true } = {}) {
  const events: string[] = [];
  let count = 0;
  const shelf = new TraceShelf((_job, { signal } = {}) => {
    const n = ++count;
    events.push(`open ${n}`);
    const trace = { close: async () => void events.push(`close ${n}`) } as unknown as DisputeTrace;
    if (isReady) return Promise.resolve(trace);
    return new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => {
        events.push(`abort ${n}`);
        reject(new Error("aborted"));
      });
    });
  });
  return { shelf, events };
}

describe("TraceShelf", () => {
  it("builds a trace once and closes the one that was used longest ago", async () => {
    const { shelf, events } = aShelf();
    await shelf.take(digest(1), JOB);
    await shelf.take(digest(2), JOB);
    await shelf.take(digest(1), JOB);
    expect(events).toEqual(["open 1", "open 2"]);
    await shelf.take(digest(3), JOB);
    await expect.poll(() => events).toEqual(["open 1", "open 2", "open 3", "close 2"]);
    await shelf.close();
    expect(events.slice(4).sort()).toEqual(["close 1", "close 3"]);
  });

  it("shows what is there without building, closing or keeping anything for it", async () => {
    const { shelf, events } = aShelf();
    expect(shelf.peek(digest(1))).toBeUndefined();
    const first = await shelf.take(digest(1), JOB);
    await shelf.take(digest(2), JOB);
    expect(await shelf.peek(digest(1))).toBe(first);
    await shelf.take(digest(3), JOB);
    await expect.poll(() => events).toEqual(["open 1", "open 2", "open 3", "close 1"]);
    expect(shelf.peek(digest(1))).toBeUndefined();
    await shelf.close();
  });

  it("gives up a trace that is being built when it is closed, and builds it anew when it is asked again", async () => {
    const { shelf, events } = aShelf({ isReady: false });
    const first = shelf.take(digest(1), JOB);
    await shelf.close();
    await expect(first).rejects.toThrow("aborted");
    const second = shelf.take(digest(1), JOB);
    await shelf.drop(digest(1));
    await expect(second).rejects.toThrow("aborted");
    expect(events).toEqual(["open 1", "abort 1", "open 2", "abort 2"]);
  });
});
