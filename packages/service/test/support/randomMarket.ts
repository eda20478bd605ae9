import {
  type AssetId,
  assetIdOf,
  baseUnits,
  type Channel,
  channelIdOf,
  type Deployment,
  domainOf,
  modelIdOf,
  signAnswer,
  signVoucher,
  toCompactSignature,
  toHash,
  toStatementId,
} from "@foldmark/protocol";
import { modelRegistryAbi, paymentChannelsAbi, providerRegistryAbi, testUSDAbi } from "@foldmark/protocol/abi";
import { encodeAbiParameters, getContract, type Hex, keccak256, maxUint256, numberToHex } from "viem";
import type { LocalAccount } from "viem/accounts";
import type { ChainConnection } from "../../src/index.ts";
import { accountAt, hardware, registration, type startAnvil } from "./market.ts";

/** One random call: which, two numbers that it takes its arguments from, and the seconds before it. */
export type Call = { which: number; a: number; b: number; wait: number };

export const ALIASES = ["chat-small", "chat"] as const;
const PEOPLE = { payer: 1, alice: 2, bob: 3, author: 4, tuner: 5, key: 6 } as const;
const GAS = { gas: 2_000_000n }; // fixed, so that calls which revert are mined too

/** People on a fresh market, who do whatever they are told: two payees, their payer, an operator key, two authors. */
export async function openRandomMarket(
  { client, walletOf }: ChainConnection,
  deployment: Deployment,
  anvil: Awaited<ReturnType<typeof startAnvil>>["test"],
) {
  const { contracts } = deployment;
  const domain = domainOf(deployment);
  const account = (name: keyof typeof PEOPLE): LocalAccount => accountAt(PEOPLE[name]);
  const [payer, author, tuner, key] = [account("payer"), account("author"), account("tuner"), account("key")];
  const payees = [account("alice"), account("bob")] as const;
  const { channels: channelsAt, models: modelsAt, providers: providersAt, token: tokenAt } = contracts;
  const channelsOf = (from: LocalAccount) =>
    getContract({ address: channelsAt, abi: paymentChannelsAbi, client: walletOf(from) }).write;
  const modelsOf = (from: LocalAccount) =>
    getContract({ address: modelsAt, abi: modelRegistryAbi, client: walletOf(from) }).write;
  const providersOf = (from: LocalAccount) =>
    getContract({ address: providersAt, abi: providerRegistryAbi, client: walletOf(from) }).write;
  const tokenOf = (from: LocalAccount) =>
    getContract({ address: tokenAt, abi: testUSDAbi, client: walletOf(from) }).write;
  const read = { address: contracts.channels, abi: paymentChannelsAbi } as const;
  const mined = async (sent: Promise<Hex>) => client.waitForTransactionReceipt({ hash: await sent });

  for (const person of [payer, ...payees]) {
    await mined(tokenOf(person).mint([person.address, 10n ** 15n], GAS));
    await mined(tokenOf(person).approve([contracts.channels, maxUint256], GAS));
  }
  const assets: AssetId[] = [];
  for (const owner of [author, tuner]) {
    const packageHash = toHash(numberToHex(100 + assets.length, { size: 32 }));
    const parents = assets.map((assetId) => ({ assetId: BigInt(assetId), shareBps: 3_333 }));
    const asset = { ...registration, packageHash, parents };
    const [programRoot, weightsRoot] = [toHash(asset.programRoot), toHash(asset.weightsRoot)];
    const assetId = assetIdOf(modelIdOf({ ...asset, programRoot, weightsRoot }), packageHash);
    const terms = [{ type: "uint256" }, { type: "address" }, { type: "bytes32" }] as const;
    const commitment = keccak256(encodeAbiParameters(terms, [BigInt(assetId), owner.address, asset.salt]));
    await mined(modelsOf(owner).commit([commitment], GAS));
    await mined(modelsOf(owner).register([asset], GAS));
    assets.push(assetId);
  }
  const channels: Channel[] = [0, 1, 2, 3].map((n) => ({
    payer: payer.address,
    signer: key.address,
    payee: payees[n % 2 === 0 ? 0 : 1].address,
    model: n < 3 ? BigInt(assets[n % 2] ?? 0) : 0n,
    salt: numberToHex(n, { size: 32 }),
  }));

  const calls: ((a: number, b: number) => Promise<Hex>)[] = [
    (a, b) => channelsOf(payer).deposit([pick(channels, a), BigInt(b)], GAS),
    redeem,
    redeem,
    (a, b) => {
      const { payee, model } = pick(channels, a);
      return channelsOf(payer).pay([payee, model, BigInt(b)], GAS);
    },
    (a, b) => channelsOf(payer).startExit([pick(channels, a), BigInt(b)], GAS),
    (a) => channelsOf(tuner).finishExit([pick(channels, a)], GAS),
    proveOvercharge,
    (a, b) => channelsOf(pick(payees, a)).stake([BigInt(b)], GAS),
    (a, b) => channelsOf(pick(payees, a)).startUnbond([BigInt(b)], GAS),
    (a) => channelsOf(pick(payees, a)).finishUnbond(GAS),
    (a) => channelsOf(tuner).collect([pick(payees, a).address], GAS),
    (a) => channelsOf(payer).takeModelIncome([BigInt(pick(assets, a))], GAS),
    (a) => channelsOf(pick([author, tuner], a)).withdraw(GAS),
    (a, b) => channelsOf(pick(payees, a)).setOperator([key.address, b % 2 === 0], GAS),
    (a, b) => providersOf(pick(payees, a)).register([`http://${b}.example`, hardware], GAS),
    (a, b) => providersOf(pick(payees, a)).update([`http://${b}.example`, hardware], GAS),
    (a, b) => providersOf(key).setPaused([pick(payees, a).address, b % 2 === 0], GAS),
    (a, b) => {
      const prices = { priceIn: BigInt(a), priceOut: BigInt(b), priceUnit: 0n };
      const offer = { ...prices, assurance: b % 2, mode: a % 2, capacity: b + 1 };
      const { address } = pick(payees, a);
      return providersOf(pick(payees, a)).setOffer([address, BigInt(pick(assets, b)), offer], GAS);
    },
    (a, b) => {
      const provider = pick(payees, a);
      return providersOf(provider).removeOffer([provider.address, BigInt(pick(assets, b))], GAS);
    },
    (a, b) => {
      const args = [pick(ALIASES, a), BigInt(pick(assets, b))] as const;
      return modelsOf(pick([author, tuner], b)).claimAlias(args, GAS);
    },
    (a, b) => {
      const args = [pick(ALIASES, a), BigInt(pick(assets, b))] as const;
      return modelsOf(pick([author, tuner], a)).pointAlias(args, GAS);
    },
    (a, b) => modelsOf(author).transferAlias([pick(ALIASES, a), pick(payees, b).address], GAS),
    (a, b) => {
      const [from, to] = a % 2 === 0 ? [author, tuner] : [tuner, author];
      const args = [from.address, to.address, BigInt(pick(assets, b))] as const;
      return modelsOf(from).transferFrom(args, GAS);
    },
    (a, b) => {
      const args = [BigInt(pick(assets, a)), [`https://${b}.example`]] as const;
      return modelsOf(pick([author, tuner], b)).setPackageUris(args, GAS);
    },
    (a, b) => modelsOf(author).setMetadataUri([BigInt(pick(assets, a)), `ipfs://${b}`], GAS),
  ];

  async function redeem(a: number, b: number) {
    const channel = pick(channels, a);
    const id = channelIdOf(domain, channel);
    const { redeemed } = await client.readContract({ ...read, functionName: "balanceOf", args: [id] });
    const amount = redeemed + BigInt(b);
    const maxClaimableAmount = baseUnits(amount + BigInt(a % 50));
    const { r, vs } = toCompactSignature(await signVoucher(key, domain, { channelId: id, maxClaimableAmount }));
    const row = { ...channel, maxClaimableAmount, amount, r, vs };
    const older = { ...row, amount: redeemed, vs: numberToHex(b, { size: 32 }) };
    const payee = channel.payee === payees[0].address ? payees[0] : payees[1];
    const args = [payee.address, channel.model, [row, row, older]] as const;
    return channelsOf(payee).redeem(args, GAS);
  }

  async function proveOvercharge(a: number, b: number) {
    const channel = pick(channels, a);
    const channelId = channelIdOf(domain, channel);
    const { redeemed, slack } = await client.readContract({ ...read, functionName: "balanceOf", args: [channelId] });
    const { timestamp } = await client.getBlock();
    const payee = channel.payee === payees[0].address ? payees[0] : payees[1];
    const answer = {
      payee: payee.address,
      statementId: toStatementId(numberToHex(b, { size: 32 })),
      channelId,
      maxClaimableAmount: baseUnits(redeemed + slack),
      charged: baseUnits(redeemed > BigInt(b) ? redeemed - BigInt(b) : 0n),
      until: timestamp + 700n,
    };
    const { r, vs } = toCompactSignature(await signAnswer(payee, domain, answer));
    return channelsOf(tuner).proveOvercharge([channel, answer, r, vs], GAS);
  }

  return {
    people: Object.keys(PEOPLE).map((name) => account(name as keyof typeof PEOPLE).address),
    payees,
    key,
    assets,
    channels,
    /** Lets `wait` seconds pass and makes a call. Many random ones revert, as those of real people do. */
    async call({ which, a, b, wait }: Call): Promise<void> {
      await anvil.increaseTime({ seconds: wait });
      await mined(pick(calls, which)(a, b));
    },
  };
}

const pick = <T>(from: readonly [T, ...T[]] | readonly T[], at: number): T => {
  const picked = from[at % from.length];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
};
