import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { baseUnits, FoldmarkError, parseReceipt, receiptIdOf, statementIdOf } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Audit, type AuditDeps, type Audited, type AuditOptions, isChosen } from "../src/disputes/audit.ts";
import type { ChallengeOutcome } from "../src/disputes/playChallenge.ts";
import type { Examined } from "../src/disputes/receiptAnswer.ts";
import { aFolder } from "./aFolder.ts";
import { receiptOf } from "./aReceipt.ts";
import { aChannelId } from "./builders.ts";
import { aTrueJob, preimageOf } from "./disputeBench.ts";
import { MODEL } from "./scriptedEngine.ts";
import { channelOf, NODE } from "./servedNode.ts";

const log = createLogger({ name: "audit", level: "silent" });
const SEED = new Uint8Array(32).fill(3);

let receipts: { json: string; id: string }[];
beforeAll(async () => {
  const job = aTrueJob(5);
  const preimage = preimageOf(job);
  receipts = await Promise.all(
    [1n, 2n, 3n].map(async (n) => {
      const answer = {
        ...{
          payee: NODE.address,
          statementId: statementIdOf(preimage),
          channelId: aChannelId(Number(n)),
          until: 2_000n + n,
        },
        ...{ maxClaimableAmount: baseUnits(5n), charged: baseUnits(5n) },
      };
      const json = await receiptOf({
        payment: { answer, signature: `0x${"ab".repeat(65)}`, preimage },
        ...{ model: MODEL, channel: channelOf(MODEL), request: job.job.request, claimed: job.job.claimed },
        ...{ deployment: { chainId: 31_337, contracts: { channels: NODE.address } }, penalty: 1n, promptTokens: 2 },
      });
      return { json: JSON.stringify(json), id: receiptIdOf(parseReceipt(json)) };
    }),
  );
});

/** An audit of a folder in which the receipts lie; those named in `falseOnes` turn out to be false. */
function anAudit(
  { falseOnes = [] as string[], ...options }: Partial<AuditOptions> & { falseOnes?: string[] } = {},
  deps: Partial<AuditDeps> = {},
) {
  const folder = aFolder();
  for (const [n, { json }] of receipts.entries()) writeFileSync(path.join(folder, `${n}.json`), json);
  const results: Audited[] = [];
  const examined: string[] = [];
  const all = {
    ...{
      files: [],
      folders: [folder],
      share: 1,
      seed: SEED,
      journal: path.join(aFolder(), "audits.jsonl"),
      mostOpen: 4,
    },
    ...options,
  };
  const open = () =>
    new Audit(all, {
      log,
      readReceipt: (json) => json,
      examine: async (receipt) => {
        const id = receiptIdOf(receipt);
        examined.push(id);
        return { receipt, isTrue: !falseOnes.includes(id), why: "because", answer: {} } as Examined;
      },
      challenge: undefined,
      onResult: (audited) => results.push(audited),
      ...deps,
    });
  return { open, results, examined, folder, journal: all.journal };
}

const convicted: ChallengeOutcome = {
  ...{ id: "0x01", answerDigest: "0x02", result: "convicted", paid: 0n, moves: [], gasUsed: 0n, fees: 0n },
};
const idOf = (n: number) => receipts[n]?.id ?? "";

describe("an audit", () => {
  it("examines every receipt once, also after a restart, and sees new ones", async () => {
    const { open, results, examined, folder } = anAudit();
    writeFileSync(path.join(folder, "2.json"), "{ half");
    const audit = open();
    await audit.look();
    await audit.look();
    expect(examined.sort()).toEqual([idOf(0), idOf(1)].sort());
    await open().look();
    expect(examined.length).toBe(2);
    writeFileSync(path.join(folder, "2.json"), receipts[2]?.json ?? "");
    await open().look();
    expect(results.map(({ result }) => result)).toEqual(["true", "true", "true"]);
  });

  it("challenges what is false, and writes down how it ended", async () => {
    const { open, results, journal } = anAudit({ falseOnes: [idOf(1)] }, { challenge: async () => convicted });
    const audit = open();
    await audit.look();
    await audit.settled();
    expect(results.filter(({ receipt }) => receipt === idOf(1)).map(({ result }) => result)).toEqual([
      "false",
      "convicted",
    ]);
    expect(readFileSync(journal, "utf8")).toContain('"result":"convicted","challenge":"0x01"');
  });

  it("takes a challenge up again that was not over when it was stopped", async () => {
    let challenges = 0;
    const never = () => {
      challenges++;
      return new Promise<ChallengeOutcome>(() => {});
    };
    const { open } = anAudit({ falseOnes: [idOf(0)] }, { challenge: never });
    await open().look();
    await open().look();
    expect(challenges).toBe(2);
  });

  it("has no more bonds at risk than it may", async () => {
    let challenges = 0;
    const { open } = anAudit(
      { falseOnes: receipts.map(({ id }) => id), mostOpen: 2 },
      {
        challenge: () => {
          challenges++;
          return new Promise<ChallengeOutcome>(() => {});
        },
      },
    );
    const audit = open();
    await audit.look();
    await audit.look();
    expect(challenges).toBe(2);
  });

  it("says of a receipt that no court would judge why that is so", async () => {
    const examine = async () => {
      throw new FoldmarkError("receipt.check_failed", "No court would judge this answer.");
    };
    const { open, results } = anAudit({}, { examine });
    await open().look();
    expect(results).toMatchObject(
      receipts.map(() => ({ result: "unjudged", why: "No court would judge this answer." })),
    );
  });

  it("examines a share, the same one each time, that follows from the seed", () => {
    const ids = Array.from({ length: 2_000 }, (_, n) => `0x${n.toString(16).padStart(64, "0")}`);
    const chosen = ids.filter((id) => isChosen(id, { seed: SEED, share: 0.25 }));
    expect(chosen.length).toBeGreaterThan(400);
    expect(chosen.length).toBeLessThan(600);
    expect(ids.filter((id) => isChosen(id, { seed: SEED, share: 0.25 }))).toEqual(chosen);
    expect(ids.filter((id) => isChosen(id, { seed: new Uint8Array(32), share: 0.25 }))).not.toEqual(chosen);
    fc.assert(
      fc.property(fc.constantFrom(...ids), fc.double({ min: 0, max: 1, noNaN: true }), (id, share) => {
        expect(isChosen(id, { seed: SEED, share: 0 })).toBe(false);
        expect(isChosen(id, { seed: SEED, share: 1 })).toBe(true);
        // a larger share holds the smaller one
        if (isChosen(id, { seed: SEED, share: share / 2 })) expect(isChosen(id, { seed: SEED, share })).toBe(true);
      }),
    );
  });
});
