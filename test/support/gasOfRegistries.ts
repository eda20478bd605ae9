import { type Hex, numberToHex } from "viem";
import type { GasTable } from "./gasOfChannels.ts";
import { aRegistration, assetIdOf, commitmentOf, openMarket } from "./market.ts";

const HARDWARE = {
  kind: 1,
  device: "AMD EPYC",
  memoryBytes: 8n << 30n,
  decodeMilliTokensPerSecond: 25_500,
  measuredAt: 1_700_000_000n,
} as const;
const OFFER = {
  priceIn: 100_000n,
  priceOut: 400_000n,
  priceUnit: 50_000n,
  assurance: 0,
  mode: 0,
  capacity: 8,
} as const;

/** As `gasOfChannels`, for the calls to ModelRegistry and ProviderRegistry. */
export async function gasOfRegistries(): Promise<{ models: GasTable; providers: GasTable }> {
  const market = await openMarket();
  const { models, providers, channels, client } = market;
  const [author, payee, operator] = [market.author.account, market.payee.account, market.stranger.account] as const;
  const tables = { models: {}, providers: {} } satisfies Record<string, GasTable>;
  const measure = async (table: GasTable, name: string, sent: Promise<Hex>) => {
    const { gasUsed, status } = await client.getTransactionReceipt({ hash: await sent });
    if (status !== "success") throw new Error(`${name} reverted.`);
    table[name] = Number(gasUsed);
  };
  const numbered = (n: number) => ({ ...aRegistration(), packageHash: numberToHex(n + 1, { size: 32 }) });
  const model = await market.registerModel(market.author, numbered(1));
  await providers.write.register(["https://other.example", HARDWARE], { account: author });
  await providers.write.setOffer([author.address, model, OFFER], { account: author });
  await channels.write.setOperator([operator.address, true], { account: payee });

  const second = numbered(2);
  const commitment = commitmentOf(assetIdOf(second), author.address, second.salt);
  await measure(tables.models, "commit", models.write.commit([commitment], { account: author }));
  await measure(tables.models, "register: no parents", models.write.register([second], { account: author }));
  const parents: { assetId: bigint; shareBps: number }[] = [];
  for (let n = 10; n < 18; n++)
    parents.push({ assetId: await market.registerModel(market.author, numbered(n)), shareBps: 1_250 });
  const child = { ...numbered(3), parents };
  await models.write.commit([commitmentOf(assetIdOf(child), author.address, child.salt)], { account: author });
  await measure(tables.models, "register: eight parents", models.write.register([child], { account: author }));
  const describe = models.write.setMetadataUri([model, "ipfs://description"], { account: author });
  await measure(tables.models, "setMetadataUri", describe);
  const mirror = models.write.setPackageUris([model, ["https://mirror.example/model"]], { account: author });
  await measure(tables.models, "setPackageUris: 1", mirror);
  await measure(tables.models, "claimAlias", models.write.claimAlias(["chat-small", model], { account: author }));
  await measure(tables.models, "pointAlias", models.write.pointAlias(["chat-small", model], { account: author }));
  const transfer = models.write.transferAlias(["chat-small", payee.address], { account: author });
  await measure(tables.models, "transferAlias", transfer);

  const { register, update, setOffer, setPaused, removeOffer } = providers.write;
  const registered = register(["https://node.example:8420", HARDWARE], { account: payee });
  await measure(tables.providers, "register", registered);
  await measure(tables.providers, "update", update(["https://node.example:8421", HARDWARE], { account: payee }));
  const offered = setOffer([payee.address, model, OFFER], { account: operator });
  await measure(tables.providers, "setOffer: new", offered);
  const cheaper = setOffer([payee.address, model, { ...OFFER, priceOut: 300_000n }], { account: operator });
  await measure(tables.providers, "setOffer: replace", cheaper);
  await measure(tables.providers, "setPaused", setPaused([payee.address, true], { account: operator }));
  await measure(tables.providers, "removeOffer", removeOffer([payee.address, model], { account: operator }));
  return tables;
}
