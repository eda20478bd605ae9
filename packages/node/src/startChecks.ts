import { FoldmarkError, isSameAddress } from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import type { Address } from "viem";
import { type Market, readProvider } from "./chain/market.ts";
import type { MarketWatch } from "./chain/marketWatch.ts";
import { updateEndpoint } from "./chain/provider.ts";
import type { Sender } from "./chain/transact.ts";
import type { NodeConfig } from "./config.ts";
import type { CourtReader } from "./disputes/court/court.ts";
import { checkAlone } from "./doppelganger.ts";
import { type OpenedModel, openModel } from "./engine/openModel.ts";
import type { Health } from "./serving/healthRoute.ts";
import { MACHINE_VERSION } from "./serving/nodeRoute.ts";
import type { Ledger } from "./store/ledger.ts";

/** Opens every package of the settings. @throws `config.invalid` for none, `package.*` */
export async function openModels({ models }: NodeConfig): Promise<OpenedModel[]> {
  if (models.length === 0)
    throw new FoldmarkError("config.invalid", "No model is configured.", {
      hint: "Run `foldmark init --model PACKAGE_DIR`, or list package folders under `models` in foldmark.yaml.",
    });
  const opened: OpenedModel[] = [];
  for (const folder of models) opened.push(await openModel(folder));
  return opened;
}

/** @throws `config.invalid` before `init` has registered the payee, `store.locked` when another node of it serves */
export async function checkRegistered(
  market: Market,
  { payee, ledger }: { payee: Address; ledger: Ledger },
): Promise<void> {
  const registered = await readProvider(market, payee);
  if (!registered)
    throw new FoldmarkError(
      "config.invalid",
      `The provider ${payee} is not registered on chain ${market.deployment.chainId}.`,
      {
        hint: "Run `foldmark init`.",
      },
    );
  if (URL.canParse(registered.endpoint)) await checkAlone(registered.endpoint, { payee, instance: ledger.instance });
}

/** @throws `config.invalid` for a key whose answers nobody would take */
export function checkOperator(view: MarketWatch, { payee, operator }: { payee: Address; operator: Address }): void {
  if (view.isOperator) return;
  throw new FoldmarkError(
    "config.invalid",
    `The key ${operator} is no operator of ${payee}: nobody would take its answers.`,
    {
      hint: "Let the payee call setOperator for it, or start with another keystore.",
    },
  );
}

/** @throws `config.invalid` where the court judges another version of the fold machine: its programs are malformed to it */
export function checkMachineVersion({ terms: { machineVersion } }: CourtReader): void {
  if (machineVersion === MACHINE_VERSION) return;
  throw new FoldmarkError(
    "config.invalid",
    `The market's court judges version ${machineVersion} of the fold machine, this node runs version ${MACHINE_VERSION}.`,
    {
      details: { court: machineVersion, node: MACHINE_VERSION },
      hint: "Every answer signed here would be convicted there: install the version of foldmark for that court.",
    },
  );
}

/** @throws `node.starting`, `node.draining` */
export function checkOpen(health: Health, view: MarketWatch): void {
  if (health === "starting") throw new FoldmarkError("node.starting", "The node is starting.");
  if (health === "draining" || !view.isOperator)
    throw new FoldmarkError("node.draining", "The node takes no more requests.", { hint: "Ask another provider." });
}

/** Only the payee may move its endpoint; an operator's node says so and goes on serving. */
export async function publishEndpoint(
  market: Market,
  sender: Sender,
  { payee, endpoint, log }: { payee: Address; endpoint: string; log: Logger },
): Promise<void> {
  if (isSameAddress(payee, sender.account.address)) {
    if ((await updateEndpoint(market, sender, endpoint)) === "updated")
      log.info({ endpoint }, "the endpoint was updated");
    return;
  }
  const registered = (await readProvider(market, payee))?.endpoint;
  if (registered !== endpoint)
    log.warn({ endpoint, registered }, "the chain shows another endpoint; only the payee's key can change it");
}
