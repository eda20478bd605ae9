import { expect, it } from "vitest";
import { Hope } from "../../../src/wasm/threads/hope.ts";

const tries = (hope: Hope, times: number, succeeds: (at: number) => boolean) => {
  let tried = 0;
  for (let at = 0; at < times; at++)
    if (hope.isWorthTrying()) {
      tried++;
      hope.tried(succeeds(at));
    }
  return tried;
};

it("tries what fails seldom, what succeeds always, and finds out when that changes", () => {
  const hope = new Hope();
  expect(tries(hope, 2_560, () => false)).toBe(160);
  // given up at some time, it is tried again within 240 times, and then always
  expect(tries(hope, 1_000, () => true)).toBeGreaterThanOrEqual(760);
  expect(tries(hope, 1_000, () => true)).toBe(1_000);
  // now and then is often enough
  expect(tries(hope, 1_000, (at) => at % 16 === 0)).toBe(1_000);
});
