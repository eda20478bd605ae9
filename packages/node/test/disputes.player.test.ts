import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Look, Player } from "../src/disputes/player.ts";
import {
  aFalseJob,
  aPlayer,
  type Disputes,
  forgedTrace,
  type Job,
  openDisputes,
  type Signed,
  traceOf,
} from "./disputeBench.ts";

let disputes: Disputes;
let next = 10;
beforeAll(async () => {
  disputes = await openDisputes();
});
afterAll(() => disputes?.[Symbol.asyncDispose]());

/** An answer and an open challenge of it. */
async function challenged(
  job: Job,
): Promise<{ signed: Signed; id: `0x${string}`; challenger: Awaited<ReturnType<Disputes["challenger"]>> }> {
  const signed = await disputes.answer(job, next);
  const challenger = await disputes.challenger(next++);
  await challenger.moves.challenge(signed);
  return { signed, challenger, id: await disputes.court.challengeId(signed.digest, challenger.account.address) };
}

/** Both seats in turn, to the end. */
async function play({ challenger, payee }: { challenger?: Player; payee?: Player }): Promise<Look[]> {
  const looks: Look[] = [];
  for (let round = 0; round < 40; round++) {
    for (const look of [await payee?.lookAsPayee(), await challenger?.lookAsChallenger()]) {
      if (!look) continue;
      looks.push(look);
      if (look.status === "over" || look.status === "conceded") return looks;
    }
  }
  throw new Error("the game has no end");
}

describe("a game", () => {
  it("convicts a liar whose last stage is forged", async () => {
    const job = aFalseJob();
    const { signed, challenger, id } = await challenged(job);
    await play({
      challenger: aPlayer(disputes, { own: traceOf(job, job.honest), signed, id, sender: challenger.sender }),
      payee: aPlayer(disputes, { own: traceOf(job, forgedTrace(job)), signed, id, sender: disputes.payeeSender }),
    });
    expect((await disputes.court.game(id)).turn).toBe("won");
  });
});
