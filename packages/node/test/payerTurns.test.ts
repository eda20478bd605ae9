import { describe, expect, it } from "vitest";
import { PayerTurns } from "../src/engine/payerTurns.ts";

const waiting = (names: string) => names.split(" ").map((name) => ({ name, payer: name.charAt(0) }));
const names = (turns: PayerTurns, of: ReturnType<typeof waiting>) => turns.inTurn(of).map(({ name }) => name);

describe("PayerTurns", () => {
  it("serves payers in turn, and each in the order in which it came", () => {
    expect(names(new PayerTurns(), waiting("a1 a2 a3 b1 c1 b2"))).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
  });

  it("begins with whoever has waited longest for a turn", () => {
    const turns = new PayerTurns();
    const all = waiting("a1 a2 b1");
    names(turns, all);
    turns.served("a");
    expect(names(turns, all.slice(1))).toEqual(["b1", "a2"]);
    turns.served("b");
    expect(names(turns, waiting("a2 c1 b2"))).toEqual(["a2", "b2", "c1"]);
  });

  it("keeps nobody in mind who wants nothing", () => {
    const turns = new PayerTurns();
    names(turns, waiting("a1 b1"));
    names(turns, waiting("b1"));
    expect(names(turns, waiting("a2 b1"))).toEqual(["b1", "a2"]);
  });
});
