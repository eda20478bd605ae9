import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { cases, drawsFrom, patience } from "../support/deep.ts";
import { aPool, type Pool } from "../support/games/pool.ts";
import { playRandomGame } from "../support/games/randomGame.ts";
import { checkRules } from "../support/games/rules.ts";
import { openTable, type Table } from "../support/games/table.ts";

let table: Table;
let pool: Pool;
beforeAll(async () => {
  table = await openTable();
  pool = aPool(3);
});

describe("games in which people do what they like", () => {
  it(
    "end by the rules",
    async () => {
      const met = { convictions: 0, lost: 0, silent: 0, won: 0, sideBySide: 0, unbonded: 0 };
      await fc.assert(
        fc.asyncProperty(fc.noShrink(fc.nat()), async (seed) => {
          const undo = await table.chain.mark();
          try {
            const world = await playRandomGame(table, drawsFrom(seed), pool);
            await checkRules(world).catch((error) => {
              throw new Error(`${error.message}\n${world.story.join("\n")}`, { cause: error });
            });
            met.convictions += world.convictions.length;
            met.silent += world.replay.silent.size;
            for (const id of world.replay.games.keys()) met[world.replay.turn(id) === "won" ? "won" : "lost"]++;
            met.sideBySide += [...world.replay.cases.values()].filter(({ ids }) => ids.length > 1).length;
            met.unbonded += world.story.filter((line) => line.endsWith("takes its stake out: done")).length;
          } finally {
            await undo();
          }
        }),
        { numRuns: cases(60) },
      );
      // the games must be such that something happens in them
      for (const [what, times] of Object.entries(met)) expect(times, what).toBeGreaterThan(0);
    },
    patience,
  );
});
