// Order of the folders: home, config, keystore, store < chain, engine, hardware < serving, money < control < node < commands < cli.
export { chainReader } from "./chain/chainReader.ts";
export { connectMarket } from "./chain/market.ts";
export { runCli } from "./cli.ts";
export { configSchema, type NodeConfig, readConfig } from "./config.ts";
export type {
  AnswerEngine,
  Completion,
  EngineJob,
  EngineListener,
  EngineRun,
  RequestSize,
  ServedModel,
} from "./engine/answerEngine.ts";
export { type OpenedModel, openModel } from "./engine/openModel.ts";
export { WorkerEngine } from "./engine/workerEngine.ts";
export { type Home, homeOf } from "./home.ts";
export { createKeystore, type NodeKey, openKeystore } from "./keystore/keystore.ts";
export { type NodeDeps, type NodeOptions, type RunningNode, startNode } from "./node.ts";
export type { NodeStatus } from "./nodeStatus.ts";
export { tillSignal } from "./signals.ts";
