import { beforeAll, describe, expect, it } from "vitest";
import { courtCase, drawElement, lieAt } from "../support/courtCase.ts";
import { cases, drawsFrom, patience, testSeed } from "../support/deep.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import { tinyPrograms } from "../support/tinyPrograms.ts";

describe.each(tinyPrograms)("a call that is short of gas, about $kind", ({ job }) => {
  const dispute = courtCase(job);
  let referee: Referee;
  beforeAll(async () => {
    referee = await openReferee();
  });

  it(
    "reverts, whatever the gas, and says nothing else than it would with enough",
    async () => {
      const draws = drawsFrom(testSeed);
      for (let sweep = 0; sweep < cases(2); sweep++) {
        const at = drawElement(dispute, draws);
        const lie = lieAt(dispute, at, draws);
        const [truth, falsehood] = [dispute.call(dispute.honest, { ...at, j: 0 }), dispute.call(lie.trace, lie.target)];
        const enough = (await referee.refute(falsehood)).executionGas;
        expect((await referee.starve(falsehood, 2 * enough)).verdict).toBe("refuted");
        for (let gas = 5_000; gas < 1.1 * enough; gas += Math.ceil(enough / 60)) {
          const { verdict } = await referee.starve(truth, gas);
          expect(verdict === "refuted" || verdict.startsWith("returned"), `${gas} gas: ${verdict}`).toBe(false);
          const other = await referee.starve(falsehood, gas);
          expect(other.verdict, `${gas} gas`).not.toBe("NotRefuted");
          expect(other.verdict.startsWith("returned"), `${gas} gas: ${other.verdict}`).toBe(false);
        }
      }
    },
    patience,
  );
});
