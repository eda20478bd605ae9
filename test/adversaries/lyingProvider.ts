// A provider that changes one token of each chat answer and signs it all the same. Folder and settings are those of
// `foldmark start` (FOLDMARK_HOME, FOLDMARK_*, foldmark.yaml), and so is the line that it writes when it serves.
//   node test/adversaries/lyingProvider.ts --at 3 [--forge]
// With --forge it defends the lie with a forged trace, and shows of its tree only what the court asks for. Without, it is
// an honest node on a machine that errs: it finds its own answer false and says nothing more.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { homeOf, openKeystore, readConfig, startNode, tillSignal, WorkerEngine } from "@foldmark/node";
import { createLogger } from "@foldmark/service";
import { openForgedTrace } from "./forgedTrace.ts";
import { hideTree } from "./hiddenTree.ts";
import { lyingEngine } from "./lyingEngine.ts";

const { values } = parseArgs({
  options: { at: { type: "string", default: "3" }, forge: { type: "boolean", default: false } },
});
const home = homeOf(process.env);
const front = values.forge ? await hideTree() : undefined;
const config = await readConfig(home, {
  variables: process.env,
  flags: front ? { "serve.endpoint": front.url } : {},
});
const log = createLogger({ name: "node", level: config.log.level });
const password = readFileSync(config.signer.passwordFile ?? "", "utf8").split("\n", 1)[0] ?? "";
const key = await openKeystore(config.signer.keystore, password);
const node = await startNode(
  { home, config, key },
  {
    log,
    openEngine: async (models) => lyingEngine(await WorkerEngine.open({ models }, { log }), { at: Number(values.at) }),
    ...(values.forge ? { openTrace: openForgedTrace } : {}),
  },
);
const { payee, operator, instance, url, port, endpoint, models } = node;
front?.open(url);
log.info({ event: "ready", pid: process.pid, payee, operator, instance, url, port, endpoint, models }, "serving");
await tillSignal({ onFirst: () => node.drain(), onSecond: () => node.close() });
front?.close();
process.exit();
