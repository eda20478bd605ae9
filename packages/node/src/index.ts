// Order of the folders: home, config, keystore, store < chain, engine, hardware < serving, money < disputes < control < node < commands < cli.
export { chainReader } from "./chain/chainReader.ts";
export { connectMarket, type Market } from "./chain/market.ts";
export { type Sender, senderOf } from "./chain/transact.ts";
export { runCli } from "./cli.ts";
export { configSchema, type NodeConfig, readConfig } from "./config.ts";
export { type CourtReader, openCourt } from "./disputes/court/court.ts";
export { type CourtMoves, courtMoves, type Moved } from "./disputes/court/courtMoves.ts";
export { type Round, roundsOfGame } from "./disputes/game/rounds.ts";
export { type ChallengedAnswer, type ChallengeOutcome, playChallenge } from "./disputes/playChallenge.ts";
export { type Look, Player } from "./disputes/player.ts";
export { type Examined, examineReceipt } from "./disputes/receiptAnswer.ts";
export { buildTrace } from "./disputes/traces/buildTrace.ts";
export type { DisputedJob, DisputeTrace, OpenTrace } from "./disputes/traces/disputeTrace.ts";
export { localTrace } from "./disputes/traces/localTrace.ts";
export { openThreadTrace } from "./disputes/traces/threadTrace.ts";
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
