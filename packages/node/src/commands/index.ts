import { auditRun } from "./auditRun.ts";
import { challenge } from "./challenge.ts";
import { collect } from "./collect.ts";
import type { Command } from "./command.ts";
import { disputesList, disputesShow } from "./disputes.ts";
import { init } from "./init.ts";
import { modelsExplain } from "./modelsExplain.ts";
import { modelsFetch } from "./modelsFetch.ts";
import { modelsImport } from "./modelsImport.ts";
import { modelsList } from "./modelsList.ts";
import { modelsRegister } from "./modelsRegister.ts";
import { offersSet } from "./offersSet.ts";
import { redeem } from "./redeem.ts";
import { stakeAdd } from "./stakeAdd.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import { verify } from "./verify.ts";

/** Every command, in the order of a node's life. Help comes from this table. */
export const COMMANDS: readonly Command[] = [
  init,
  start,
  status,
  modelsList,
  modelsExplain,
  modelsFetch,
  modelsImport,
  modelsRegister,
  offersSet,
  stakeAdd,
  redeem,
  collect,
  verify,
  challenge,
  auditRun,
  disputesList,
  disputesShow,
];
