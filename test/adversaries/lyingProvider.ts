// A provider that changes one token of each chat answer and signs it all the same. Folder and settings are those of
// `foldmark start` (FOLDMARK_HOME, FOLDMARK_*, foldmark.yaml), and so is the line that it writes when it serves.
//   node test/adversaries/lyingProvider.ts --at 3
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { homeOf, openKeystore, readConfig, startNode, tillSignal, WorkerEngine } from "@foldmark/node";
import { createLogger } from "@foldmark/service";
import { lyingEngine } from "./lyingEngine.ts";

const { values } = parseArgs({ options: { at: { type: "string", default: "3" } } });
const home = homeOf(process.env);
const config = await readConfig(home, { variables: process.env });
const log = createLogger({ name: "node", level: config.log.level });
const password = readFileSync(config.signer.passwordFile ?? "", "utf8").split("\n", 1)[0] ?? "";
const key = await openKeystore(config.signer.keystore, password);
const node = await startNode(
  { home, config, key },
  {
    log,
    openEngine: async (models) => lyingEngine(await WorkerEngine.open({ models }, { log }), { at: Number(values.at) }),
  },
);
const { payee, operator, instance, url, port, endpoint, models } = node;
log.info({ event: "ready", pid: process.pid, payee, operator, instance, url, port, endpoint, models }, "serving");
await tillSignal({ onFirst: () => node.drain(), onSecond: () => node.close() });
process.exit();
