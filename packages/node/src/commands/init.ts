import { existsSync } from "node:fs";
import { baseUnits, FoldmarkError, STAKE_PENALTIES } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { connectMarket, type Market, readDeployment, readProvider } from "../chain/market.ts";
import { type OfferTerms, publishedTerms, publishOffer, registerProvider, stakeUpTo } from "../chain/provider.ts";
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
import { offerTerms, priceText } from "./offerTerms.ts";
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
    for (const name of PRICE_NAMES) {
      const price = saidPrices(input)[name];
      if (price !== undefined) amountOf(price, { name: PRICE_FLAGS[name] });
    }
    const models = await Promise.all(config.models.map(openModel));
    // a key that is still to be made has published nothing
    if (!existsSync(config.signer.keystore))
      for (const model of models) termsOf(model, input, { config, published: undefined });
    const key = await createOrOpenKey(config, context.say);
    const market = await connectMarket({ ...config.network, deployment });
    const sender = senderOf(market, key.account);
    await checkGas(market, sender);
    const offers = await Promise.all(
      models.map(async (model) => {
        const published = await publishedTerms(market, { payee: key.address, asset: model.asset });
        return { model, terms: termsOf(model, input, { config, published }) };
      }),
    );
    const hardware = (await knownHardware(market, key)) ?? (await measure(models, { config, say: context.say }));

    const stake = wantedStake ?? baseUnits(market.terms.penalty * (STAKE_PENALTIES + 2n));
    if (options.yes !== true) {
      const asked = offers.map(({ model, terms }) => `offer ${model.name} for ${priceText(terms)}`);
      const moves = models.length === 0 ? [] : [`stake ${tokens(stake)}`, ...asked];
      await confirm(context, `${[`Register ${key.address} on chain ${deployment.chainId}`, ...moves].join("; ")}?`);
    }

    const endpoint = endpointOf(config);
    const registered = await registerProvider(market, sender, { endpoint, hardware });
    context.say(
      `provider ${key.address} ${registered}: ${hardware.device}, ${hardware.tokensPerSecond.toFixed(1)} tokens/s`,
    );
    const staked = models.length === 0 ? baseUnits(0n) : await stakeUpTo(market, sender, stake);
    if (models.length === 0) context.say("nothing is staked: there is no model to answer for yet");
    else context.say(staked > 0n ? `staked ${tokens(staked)}` : `the stake covers ${tokens(stake)} already`);
    const published = [];
    for (const { model, terms } of offers) {
      const outcome = await publishOffer(market, sender, { payee: key.address, asset: model.asset, terms });
      context.say(`offer for ${model.name} ${outcome}: ${priceText(terms)}`);
      published.push({ asset: model.asset, name: model.name, outcome, ...terms });
    }
    return {
      data: { address: key.address, endpoint, hardware, registered, staked, stake, offers: published },
      text:
        models.length === 0
          ? "registered, without a model: get one with `foldmark models fetch default`, then run `foldmark init --model DIR --price-in .. --price-out ..`"
          : "ready: run `foldmark start`",
    };
  },
};

const PRICE_FLAGS = { in: "--price-in", out: "--price-out", unit: "--price-unit" };
const PRICE_NAMES = ["in", "out", "unit"] as const;

const saidPrices = ({ options }: CommandInput) => ({
  in: options.priceIn,
  out: options.priceOut,
  unit: options.priceUnit,
});

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
    { models: [chat], ...config.engine },
    { log: createLogger({ name: "node", level: config.log.level }) },
  );
  try {
    return hardwareOf(machine, { tokensPerSecond: await measureTokensPerSecond(engine, chat), now: now() });
  } finally {
    await engine.close();
  }
}

/** Prices from flags, else from the settings' offer for the model by name or asset, else as they are published. */
function termsOf(
  { name, asset, kind }: OpenedModel,
  input: CommandInput,
  { config, published }: { config: NodeConfig; published: OfferTerms | undefined },
): OfferTerms {
  const offer = config.offers.find(({ model }) => model === name || model === asset);
  const said = saidPrices(input);
  return offerTerms(
    { in: said.in ?? offer?.in, out: said.out ?? offer?.out, unit: said.unit ?? offer?.unit },
    { model: name, kind, flags: PRICE_FLAGS, published, capacity: offer?.capacity },
  );
}

/** Where the node will be. `start` brings it up to date once it listens. */
const endpointOf = ({ serve }: NodeConfig): string =>
  serve.endpoint === "auto" ? `http://${serve.listen}` : serve.endpoint;
