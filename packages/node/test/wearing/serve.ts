// Asks one question again and again of a node's engine whose kernels wear out, until it is answered; prints what happened.
import { createLogger } from "@foldmark/service";
import { openModel } from "../../src/engine/openModel.ts";
import { WorkerEngine } from "../../src/engine/workerEngine.ts";

const [folder = "", question = ""] = process.argv.slice(2);
const request = (JSON.parse(question) as string[]).map((bytes) => new Uint8Array(Buffer.from(bytes, "base64")));
const model = await openModel(folder);
const log = createLogger({ name: "node", level: "error" });
const engine = await WorkerEngine.open({ models: [model] }, { log });
const outcomes: string[] = [];
const alive = setInterval(() => {}, 60_000); // a server would be listening
while (outcomes.length < 12) {
  const { result } = engine.run({ asset: model.asset, request }, { hint() {}, tokens() {} });
  const outcome = await result.then(
    ({ claimed }) => `answer ${Buffer.from(claimed[0] ?? []).toString("base64")}`,
    (error: { code?: string }) => String(error.code),
  );
  outcomes.push(outcome);
}
clearInterval(alive);
await engine.close();
console.log(`outcomes ${JSON.stringify(outcomes)}`);
