import { openWasm } from "@foldmark/machine";
import { openModel, WorkerEngine } from "@foldmark/node";
import { createLogger } from "@foldmark/service";
import { check, families, llamaRequest, openPackage, tokensOf } from "@foldmark/workloads";
import { describe, expect, it } from "vitest";
import { tinyChatPackage } from "../../packages/node/test/tinyPackage.ts";
import { falseToken, lyingEngine } from "./lyingEngine.ts";

const PROMPT = [7, 33, 12];

describe("lyingEngine", () => {
  it("changes one token of a stream and of what is signed, and a check names it", async () => {
    const { folder, configuration } = await tinyChatPackage();
    const model = await openModel(folder);
    const honest = await WorkerEngine.open(
      { models: [model] },
      { log: createLogger({ name: "test", level: "error" }) },
    );
    const request = llamaRequest({ prompt: PROMPT, limit: 12, temperature: 0.8, minP: 0, seed: 5n }, configuration);
    const run = async (engine: typeof honest | ReturnType<typeof lyingEngine>) => {
      const tokens: number[] = [];
      const completion = await engine.run(
        { asset: model.asset, request },
        { hint() {}, tokens: (ids) => tokens.push(...ids) },
      ).result;
      return { tokens, completion };
    };
    const truth = await run(honest);
    const lie = await run(lyingEngine(honest, { at: 3 }));
    await honest.close();
    expect(lie.tokens).toEqual(truth.tokens.with(3, falseToken(truth.tokens[3] ?? 0)));
    expect(tokensOf(lie.completion.claimed[0] ?? new Uint8Array()).slice(PROMPT.length)).toEqual(lie.tokens);

    const { program, constants, manifest } = await openPackage(folder, { families });
    const checker = await openWasm(program, constants);
    const verdict = check(checker, { model: manifest, job: lie.completion });
    checker.close();
    expect(verdict).toMatchObject({ equal: false, rule: "token", position: PROMPT.length + 3 });
  });
});
