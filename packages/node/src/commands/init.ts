import { existsSync } from "node:fs";
import { baseUnits, FoldmarkError, formatAmount, STAKE_PENALTIES } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { connectMarket, type Market, readDeployment, readProvider } from "../chain/market.ts";
import { type OfferTerms, publishOffer, registerProvider, stakeUpTo } from "../chain/provider.ts";
import { type Sender, senderOf } from "../chain/transact.ts";
import type { NodeConfig } from "../config.ts";
import { type OpenedModel, openModel } from "../engine/openModel.ts";
import { WorkerEngine } from "../engine/workerEngine.ts";
import { describeMachine, type Hardware, hardwareOf } from "../hardware/measure.ts";
import { measureTokensPerSecond } from "../hardware/measureModel.ts";
import { createKeystore, type NodeKey, openKeystore } from "../keystore/keystore.ts";
import { choosePassword, readPassword } from "../keystore/password.ts";
import { amountOf, tokens } from "./amount.ts";
import { type Command, type CommandInput, OPTION } from "./command.ts";
import { confirm } from "./confirm.ts";
import { openConfig } from "./openNode.ts";
import { saveSettings } from "./saveSettings.ts";

export const init: Command = {
  name: "init",
  summary: "Set this provider up: key, model, measurement, registration, stake, offers; run again, it goes on",
  options: [
    { flags: "--quick", summary: "one key for payee and operator: for a local network and small stakes" },
    { flags: "--keys-only", summary: "make the key, print its address, and stop" },
    ...[OPTION.rpc, OPTION.deployment, OPTION.passwordFile, OPTION.model, OPTION.listen, OPTION.endpoint],
    { flags: "--price-in <amount>", summary: "asked for 10^6 prompt tokens" },
    { flags: "--price-out <amount>", summary: "asked for 10^6 answer tokens" },
    { flags: "--price-unit <amount>", summary: "asked for 10^6 steps of a simulation" },
    { flags: "--stake <amount>", summary: "stake in all; by default ten penalties" },
    { flags: "--yes", summary: "do not ask before money moves" },
  ],
  async run(input) {
    const { context, options } = input;
    await saveSettings(input);
    const config = await openConfig(input);
    if (options.keysOnly === true) {
      const { address } = await createOrOpenKey(config, context.say);
      return { data: { address }, text: `the key is ${address}` };
    }
    // what is missing or mistyped is said before anybody is asked for a password
    const deployment = await readDeployment(config.network.deployment);
    const wantedStake = options.stake === undefined ? undefined : amountOf(options.stake, { name: "--stake" });
    for (const [name, price] of pricesOf(input)) if (price !== undefined) amountOf(price, { name });
    const key = await createOrOpenKey(config, context.say);
    const market = await connectMarket({ ...config.network, deployment });
    const sender = senderOf(market, key.account);
    await checkGas(market, sender);
    const models = await Promise.all(config.models.map(openModel));
    const hardware = (await knownHardware(market, key)) ?? (await measure(models, { config, say: context.say }));

    const stake = wantedStake ?? baseUnits(market.terms.penalty * (STAKE_PENALTIES + 2n));
    const offers = models.map((model) => ({ model, terms: termsOf(model, input, config) }));
    if (options.yes !== true)
      await confirm(
        context,
        `Register ${key.address} on chain ${deployment.chainId}, stake ${tokens(stake)}, offer ${models.length} models?`,
      );

    const endpoint = endpointOf(config);
    const registered = await registerProvider(market, sender, { endpoint, hardware });
    context.say(
      `provider ${key.address} ${registered}: ${hardware.device}, ${hardware.tokensPerSecond.toFixed(1)} tokens/s`,
    );
    const staked = await stakeUpTo(market, sender, stake);
    context.say(staked > 0n ? `staked ${tokens(staked)}` : `the stake covers ${tokens(stake)} already`);
    const published = [];
    for (const { model, terms } of offers) {
      const outcome = await publishOffer(market, sender, { payee: key.address, asset: model.asset, terms });
      context.say(
        `offer for ${model.name} ${outcome}: ${formatAmount(terms.priceIn)} in, ${formatAmount(terms.priceOut)} out, ${formatAmount(terms.priceUnit)} a step, for 10^6`,
      );
      published.push({ asset: model.asset, name: model.name, outcome, ...terms });
    }
    return {
      data: { address: key.address, endpoint, hardware, registered, staked, stake, offers: published },
      text:
        models.length === 0
          ? "ready, but for a model: run `foldmark init --model PACKAGE_DIR`"
          : "ready: run `foldmark start`",
    };
  },
};

const pricesOf = ({ options }: CommandInput) =>
  [
    ["--price-in", options.priceIn],
    ["--price-out", options.priceOut],
    ["--price-unit", options.priceUnit],
  ] as const;

async function createOrOpenKey({ signer }: NodeConfig, say: (line: string) => void): Promise<NodeKey> {
  if (existsSync(signer.keystore))
    return openKeystore(
      signer.keystore,
      await readPassword(signer.passwordFile, { message: "Password of the keystore" }),
    );
  const key = await createKeystore(signer.keystore, await choosePassword(signer.passwordFile));
  say(`made the key ${key.address} in ${signer.keystore}: it is payee and operator in one, so keep the stake small`);
  return key;
}

async function checkGas({ chain }: Market, { account }: Sender): Promise<void> {
  if ((await chain.client.getBalance({ address: account.address })) > 0n) return;
  throw new FoldmarkError("chain.insufficient_funds", `${account.address} has nothing to pay gas with.`, {
    details: { address: account.address },
    hint: "Send it some of the chain's own currency, then run `foldmark init` again: it goes on here.",
  });
}

/** What was measured before on this very machine is not measured again. */
async function knownHardware(market: Market, { address }: NodeKey): Promise<Hardware | undefined> {
  const registered = (await readProvider(market, address))?.hardware;
  const now = hardwareOf(await describeMachine(), { tokensPerSecond: 0, now: Number(registered?.measuredAt ?? 0) });
  const isSame = registered?.device === now.device && registered.memoryBytes === BigInt(now.memoryBytes);
  const tokensPerSecond = (registered?.decodeMilliTokensPerSecond ?? 0) / 1_000;
  return isSame && tokensPerSecond > 0 ? { ...now, tokensPerSecond } : undefined;
}

/** The first model that answers in tokens says how fast this machine is. */
async function measure(
  models: OpenedModel[],
  { config, say }: { config: NodeConfig; say: (line: string) => void },
): Promise<Hardware> {
  const machine = await describeMachine();
  const chat = models.find(({ kind }) => kind === "chat");
  const now = () => Math.floor(Date.now() / 1000);
  if (!chat) return hardwareOf(machine, { tokensPerSecond: 0, now: now() });
  say(
    `measuring ${chat.name} on ${machine.cpu}${machine.gpu ? ` (${machine.gpu.name} found, not used: there is no engine for it)` : ""}`,
  );
  const engine = await WorkerEngine.open(
    { models: [chat] },
    { log: createLogger({ name: "node", level: config.log.level }) },
  );
  try {
    return hardwareOf(machine, { tokensPerSecond: await measureTokensPerSecond(engine, chat), now: now() });
  } finally {
    await engine.close();
  }
}

/** Prices from flags, else from the settings' offer for the model by name or asset, else free. */
function termsOf({ name, asset }: OpenedModel, { options }: CommandInput, { offers }: NodeConfig): OfferTerms {
  const offer = offers.find(({ model }) => model === name || model === asset);
  return {
    priceIn: amountOf(options.priceIn ?? offer?.in ?? "0", { name: "--price-in" }),
    priceOut: amountOf(options.priceOut ?? offer?.out ?? "0", { name: "--price-out" }),
    priceUnit: amountOf(options.priceUnit ?? offer?.unit ?? "0", { name: "--price-unit" }),
    capacity: offer?.capacity ?? 1,
  };
}

/** Where the node will be. `start` brings it up to date once it listens. */
const endpointOf = ({ serve }: NodeConfig): string =>
  serve.endpoint === "auto" ? `http://${serve.listen}` : serve.endpoint;
