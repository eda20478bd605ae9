import { baseUnits, type PaymentEvent, toStatementId, ZERO } from "@foldmark/protocol";
import { describe, expect, it } from "vitest";
import type { Completion } from "../src/engine/answerEngine.ts";
import { AnswerRun } from "../src/serving/answerRun.ts";
import { Scheduler } from "../src/serving/scheduler.ts";
import { aChannelId, OWNER } from "./builders.ts";
import { MODEL, scriptedEngine } from "./scriptedEngine.ts";

const aCompletion = (T: number): Completion => ({ T, request: [], claimed: [] });

function start({ hint }: { hint?: number[] } = {}) {
  const engine = scriptedEngine();
  const scheduler = new Scheduler({ limit: 8, capacity: () => 1 });
  const seen: unknown[] = [];
  const signed: Completion[] = [];
  let closed = 0;
  const aRun = () =>
    new AnswerRun(
      {
        ...{
          channelId: aChannelId(),
          ceiling: baseUnits(100n),
          payer: OWNER.payee,
          model: MODEL,
          prices: { in: ZERO, out: ZERO, unit: ZERO },
        },
        size: { kind: "chat", promptTokens: 3, limit: 9 },
        job: { asset: MODEL.asset, request: [], ...(hint ? { hint } : {}) },
      },
      {
        ...{ engine, scheduler },
        listener: { hint: (agreed) => seen.push({ agreed }), tokens: (ids) => seen.push(ids) },
        sign(completion) {
          signed.push(completion);
          return anEvent(completion.T);
        },
        closeEmpty: () => {
          closed++;
        },
      },
    );
  return { engine, scheduler, seen, signed, aRun, closed: () => closed };
}

function anEvent(T: number): PaymentEvent {
  const hash = `0x${"00".repeat(32)}` as PaymentEvent["preimage"]["programRoot"];
  return {
    answer: {
      ...{ payee: OWNER.payee, statementId: toStatementId(hash), channelId: aChannelId() },
      ...{ maxClaimableAmount: baseUnits(100n), charged: baseUnits(1n), until: 1n },
    },
    signature: "0x",
    preimage: { header: "0x", programRoot: hash, weightsRoot: hash, requestRoot: hash, T, claimedRoot: hash },
  };
}

describe("AnswerRun", () => {
  it("passes tokens on as they come and signs what the engine completed", async () => {
    const { engine, scheduler, seen, signed, aRun } = start();
    const run = aRun();
    scheduler.add(run);
    engine.runs[0]?.listener.tokens([7]);
    engine.runs[0]?.listener.tokens([8, 9]);
    expect(run.sent).toBe(3);
    engine.runs[0]?.complete(aCompletion(6));
    expect(await run.ended).toMatchObject({ status: "done", event: { preimage: { T: 6 } } });
    expect({ seen, signed }).toEqual({ seen: [[7], [8, 9]], signed: [aCompletion(6)] });
  });

  it("stops sending at a cut, tells the engine, and signs what comes of it", async () => {
    const { engine, scheduler, seen, aRun } = start();
    const run = aRun();
    scheduler.add(run);
    engine.runs[0]?.listener.tokens([7, 8]);
    const outcome = run.cut(1);
    engine.runs[0]?.listener.tokens([9]);
    expect({ seen, cuts: engine.runs[0]?.cuts }).toEqual({ seen: [[7, 8]], cuts: [1] });
    engine.runs[0]?.complete(aCompletion(4));
    expect(await outcome).toMatchObject({ status: "done", event: { preimage: { T: 4 } } });
  });

  it("counts tokens of a hint that it agrees with as sent", async () => {
    const { engine, scheduler, seen, aRun } = start({ hint: [1, 2, 3] });
    const run = aRun();
    scheduler.add(run);
    engine.runs[0]?.listener.hint(2);
    expect({ seen, sent: run.sent }).toEqual({ seen: [{ agreed: 2 }], sent: 2 });
    void run.cut(2);
    expect(engine.runs[0]?.cuts).toEqual([2]);
  });

  it.each([
    { behaviour: "more tokens than were sent", sent: 2, cut: 3 },
    { behaviour: "none although some were sent", sent: 2, cut: 0 },
    { behaviour: "some although none were sent", sent: 0, cut: 1 },
  ])("refuses a cut at $behaviour", ({ sent, cut }) => {
    const { engine, scheduler, aRun } = start();
    const run = aRun();
    scheduler.add(run);
    if (sent > 0) engine.runs[0]?.listener.tokens(Array.from({ length: sent }, (_, id) => id));
    expect(() => run.cut(cut)).toThrow(
      expect.objectContaining({ code: "cut.out_of_range", details: { tokens: cut, sent } }),
    );
  });

  it("signs nothing for a cut before the first token, running or waiting", async () => {
    const { engine, scheduler, signed, aRun, closed } = start();
    const [running, waiting] = [aRun(), aRun()];
    scheduler.add(running);
    scheduler.add(waiting);
    expect(await waiting.cut(0)).toEqual({ status: "none" });
    expect(await running.cut(0)).toEqual({ status: "none" });
    await scheduler.idle();
    expect({ signed, closed: closed(), runs: engine.runs.map(({ aborted }) => aborted) }).toEqual({
      ...{ signed: [], closed: 2, runs: [true] },
    });
  });

  it("lets a full answer stand against a later cut, and the first cut against a second one", async () => {
    const { engine, scheduler, signed, aRun } = start();
    const [first, second] = [aRun(), aRun()];
    scheduler.add(first);
    engine.runs[0]?.listener.tokens([7, 8]);
    engine.runs[0]?.complete(aCompletion(5));
    await first.ended;
    expect(await first.cut(1)).toMatchObject({ event: { preimage: { T: 5 } } });
    await scheduler.idle();
    scheduler.add(second);
    engine.runs[1]?.listener.tokens([7, 8]);
    void second.cut(2);
    void second.cut(1);
    expect(engine.runs[1]?.cuts).toEqual([2]);
    expect(signed).toHaveLength(1);
  });

  it("cuts at what was sent when the connection is lost", async () => {
    const { engine, scheduler, aRun } = start();
    const [streaming, silent] = [aRun(), aRun()];
    scheduler.add(streaming);
    scheduler.add(silent);
    engine.runs[0]?.listener.tokens([7, 8]);
    streaming.lost();
    expect(engine.runs[0]?.cuts).toEqual([2]);
    silent.lost();
    expect(await silent.ended).toEqual({ status: "none" });
  });

  it("charges nothing when the engine fails", async () => {
    const { engine, scheduler, signed, aRun, closed } = start();
    const run = aRun();
    scheduler.add(run);
    engine.runs[0]?.listener.tokens([7]);
    engine.runs[0]?.fail(new Error("worker died"));
    expect(await run.ended).toMatchObject({ status: "failed" });
    expect({ signed, closed: closed() }).toEqual({ signed: [], closed: 1 });
  });
});
