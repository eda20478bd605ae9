import { createLogger } from "@foldmark/service";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gasOfDefence, MOVE_GAS, roundsOf } from "../src/disputes/court/cost.ts";
import { LengthLimit } from "../src/disputes/traces/lengthLimit.ts";
import { LONGEST_DEFENCE, longestDefended, measurePace, type Pace } from "../src/disputes/traces/pace.ts";
import { openThreadTrace } from "../src/disputes/traces/threadTrace.ts";
import { type OpenedModel, openModel } from "../src/engine/openModel.ts";
import { WorkerEngine } from "../src/engine/workerEngine.ts";
import { Ledger } from "../src/store/ledger.ts";
import { aFolder } from "./aFolder.ts";
import { aBox, OWNER } from "./builders.ts";
import { aTrueJob } from "./disputeBench.ts";
import { tinyChatPackage } from "./tinyPackage.ts";

const log = createLogger({ name: "node", level: "error" });
let model: OpenedModel;
let engine: WorkerEngine;
beforeAll(async () => {
  const { folder } = await tinyChatPackage();
  model = await openModel(folder);
  engine = await WorkerEngine.open({ models: [model] }, { log });
});
afterAll(() => engine?.close());

describe("the pace of a trace", () => {
  it("is measured on an answer of the model, once for a ledger", async () => {
    const ledger = Ledger.open(aFolder(), { owner: OWNER, box: aBox() });
    let traces = 0;
    const openTrace: typeof openThreadTrace = (job) => {
      traces++;
      return openThreadTrace(job);
    };
    for (let start = 0; start < 2; start++)
      await new LengthLimit().measure([model], { engine, openTrace, ledger, log });
    expect(traces).toBe(1);
    const pace = JSON.parse(ledger.fact(`pace/${model.modelId}`) ?? "") as Pace;
    expect(pace.T).toBe(32);
    expect(pace.trace).toBeGreaterThan(0);
    ledger.close();
  });

  it("of a machine that is too slow makes a node refuse what it could not defend", async () => {
    const pace = { T: 32, trace: LONGEST_DEFENCE / (1.5 * roundsOf(model.program, model.context)), reveal: 0 };
    const longest = longestDefended(model.program, pace);
    expect(longest).toBeGreaterThan(32);
    expect(longest).toBeLessThan(model.context);
    const limit = new LengthLimit();
    const ledger = Ledger.open(aFolder(), { owner: OWNER, box: aBox() });
    ledger.setFact(`pace/${model.modelId}`, JSON.stringify(pace));
    await limit.measure([model], { engine, openTrace: openThreadTrace, ledger, log });
    limit.check(model.asset, longest);
    expect(() => limit.check(model.asset, longest + 1)).toThrowError(
      expect.objectContaining({ code: "node.not_serving", details: expect.objectContaining({ longest }) }),
    );
    ledger.close();
  });

  it("of a fast machine leaves the program's own limit", async () => {
    expect(longestDefended(model.program, { T: 32, trace: 0.01, reveal: 0.01 })).toBe(model.context);
    expect((await measurePace(model, { engine, openTrace: openThreadTrace }))?.T).toBe(32);
  });
});

describe("the cost of a defence", () => {
  it("counts every reveal down to the deepest leaf", () => {
    const { program } = aTrueJob();
    // stages: 6 = height 3; the loop: 50 steps = height 6, 2 folds = height 1, one leaf; a history of 10 leaves: height 4
    expect(roundsOf(program, 50)).toBe(1 + 2 + 1);
    expect(gasOfDefence(program, 50)).toBe(MOVE_GAS.post + 4n * MOVE_GAS.reveal + MOVE_GAS.revealLeaf);
  });
});
