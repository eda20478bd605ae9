import { describe, expect, it, vi } from "vitest";
import { poll } from "../src/index.ts";

describe("poll", () => {
  it("repeats after errors, which it hands over, and stops when disposed", async () => {
    vi.useFakeTimers();
    try {
      const errors: unknown[] = [];
      let runs = 0;
      const polling = poll(
        async () => {
          if (++runs === 1) throw new Error("first");
        },
        { intervalMs: 100, onError: (error) => errors.push(error) },
      );
      await vi.advanceTimersByTimeAsync(250);
      expect(runs).toBe(3);
      expect(errors).toEqual([new Error("first")]);
      await polling[Symbol.asyncDispose]();
      await vi.advanceTimersByTimeAsync(1000);
      expect(runs).toBe(3);
    } finally {
      vi.useRealTimers();
    }
  });
});
