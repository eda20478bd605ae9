import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type Deployment,
  type Preimage,
  parseDeployment,
  type SignedAnswer,
  toAddress,
  toCompactSignature,
} from "@foldmark/protocol";
import {
  courtAbi,
  modelRegistryAbi,
  paymentChannelsAbi,
  providerRegistryAbi,
  testUSDAbi,
} from "@foldmark/protocol/abi";
import { type Abi, createTestClient, encodeAbiParameters, type Hex, http, keccak256, numberToHex } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { type ChainConnection, connectChain } from "../../src/index.ts";

const root = new URL("../../../../", import.meta.url);
const MNEMONIC = "test test test test test test test test test test test junk";
export const PENALTY = 10_000_000n;
const TERMS = {
  windowSeconds: 600n,
  noticeSeconds: 600n,
  penalty: PENALTY,
  bond: 2_000_000n,
  payeeClockSeconds: 300n,
  challengerClockSeconds: 300n,
  slotStepSeconds: 15n,
  floorSeconds: 60n,
};

/** A chain of its own whose blocks can be undone. */
export async function startAnvil() {
  const program = fileURLToPath(new URL("node_modules/.bin/anvil", root));
  const child = spawn(program, ["--port", "0", "--hardfork", "osaka", "--mnemonic", MNEMONIC], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  for await (const chunk of child.stdout) {
    output += chunk;
    if (/Listening on ([0-9.:]+)/.test(output)) break;
  }
  const [, address] = /Listening on ([0-9.:]+)/.exec(output) ?? [];
  if (!address) throw new Error(`anvil did not start: ${output}`);
  const url = `http://${address}`;
  return {
    url,
    test: createTestClient({ mode: "anvil", transport: http(url) }),
    async [Symbol.asyncDispose]() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

export const accountAt = (addressIndex: number) => mnemonicToAccount(MNEMONIC, { addressIndex });

/** The market's contracts, fresh on a chain, with constants of ten minutes. */
export async function deployMarket(connection: ChainConnection): Promise<Deployment> {
  const wallet = connection.walletOf(accountAt(0));
  const fromBlock = Number(await connection.client.getBlockNumber()) + 1;
  async function deploy(artifact: string, args: unknown[]) {
    const { abi, bytecode } = JSON.parse(
      readFileSync(new URL(`artifacts/contracts/${artifact}.json`, root), "utf8"),
    ) as { abi: Abi; bytecode: Hex };
    const hash = await wallet.deployContract({ abi, bytecode, args });
    const { contractAddress } = await connection.client.waitForTransactionReceipt({ hash });
    return toAddress(contractAddress ?? "");
  }
  const token = await deploy("mocks/TestUSD.sol/TestUSD", []);
  const models = await deploy("market/ModelRegistry.sol/ModelRegistry", [""]);
  const referee = await deploy("court/Referee.sol/Referee", []);
  const channels = await deploy("market/PaymentChannels.sol/PaymentChannels", [token, models, referee, TERMS]);
  const court = await connection.client.readContract({
    address: channels,
    abi: paymentChannelsAbi,
    functionName: "court",
  });
  const providers = await deploy("market/ProviderRegistry.sol/ProviderRegistry", [channels]);
  return parseDeployment(
    JSON.stringify({
      chainId: connection.chainId,
      fromBlock,
      contracts: { token, models, channels, providers, court, referee },
    }),
  );
}

export async function connectLocal(url: string) {
  return connectChain({ rpc: [url], chainId: 31337, pollingIntervalMs: 20 });
}

export const registration = {
  header: "0x0100010001000100020064000000",
  programRoot: numberToHex(1, { size: 32 }),
  weightsRoot: numberToHex(2, { size: 32 }),
  packageHash: numberToHex(3, { size: 32 }),
  salt: numberToHex(4, { size: 32 }),
  metadataUri: "ipfs://metadata",
  packageUris: ["https://models.example/a"],
  packageSizeBytes: 92_000_000n,
  licence: "Apache-2.0",
  royaltyBps: 500,
  resaleRoyaltyBps: 100,
  parents: [],
  predecessor: 0n,
} as const;
export const hardware = {
  kind: 1,
  device: "Test CPU",
  memoryBytes: 8n << 30n,
  decodeMilliTokensPerSecond: 25_000,
  measuredAt: 1_764_000_000n,
} as const;

const challengeId = (digest: Hex, challenger: Hex): Hex =>
  keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "address" }], [digest, challenger]));

/** One account's transactions on the market, each waited for. */
export function actor({ client, walletOf }: ChainConnection, { contracts }: Deployment, index: number) {
  const account = accountAt(index);
  const wallet = walletOf(account);
  const models = { address: contracts.models, abi: modelRegistryAbi } as const;
  const providers = { address: contracts.providers, abi: providerRegistryAbi } as const;
  const channels = { address: contracts.channels, abi: paymentChannelsAbi } as const;
  const token = { address: contracts.token, abi: testUSDAbi } as const;
  const court = { address: contracts.court, abi: courtAbi } as const;
  const mined = async (sent: Promise<Hex>) => {
    const receipt = await client.waitForTransactionReceipt({ hash: await sent });
    if (receipt.status !== "success") throw new Error(`transaction ${receipt.transactionHash} reverted`);
    return receipt;
  };
  return {
    account,
    async registerModel(assetId: Hex) {
      const commitment = keccak256(
        encodeAbiParameters(
          [{ type: "uint256" }, { type: "address" }, { type: "bytes32" }],
          [BigInt(assetId), account.address, registration.salt],
        ),
      );
      await mined(wallet.writeContract({ ...models, functionName: "commit", args: [commitment] }));
      await mined(wallet.writeContract({ ...models, functionName: "register", args: [registration] }));
    },
    alias: (name: string, assetId: Hex) =>
      mined(wallet.writeContract({ ...models, functionName: "claimAlias", args: [name, BigInt(assetId)] })),
    register: (endpoint: string) =>
      mined(wallet.writeContract({ ...providers, functionName: "register", args: [endpoint, hardware] })),
    pause: (isPaused: boolean) =>
      mined(wallet.writeContract({ ...providers, functionName: "setPaused", args: [account.address, isPaused] })),
    offer: (assetId: Hex, priceOut: bigint) =>
      mined(
        wallet.writeContract({
          ...providers,
          functionName: "setOffer",
          args: [
            account.address,
            BigInt(assetId),
            { priceIn: 100_000n, priceOut, priceUnit: 0n, assurance: 0, mode: 0, capacity: 8 },
          ],
        }),
      ),
    removeOffer: (assetId: Hex) =>
      mined(
        wallet.writeContract({ ...providers, functionName: "removeOffer", args: [account.address, BigInt(assetId)] }),
      ),
    async stake(amount: bigint) {
      await mined(wallet.writeContract({ ...token, functionName: "mint", args: [account.address, amount] }));
      await mined(wallet.writeContract({ ...token, functionName: "approve", args: [contracts.channels, amount] }));
      return mined(wallet.writeContract({ ...channels, functionName: "stake", args: [amount] }));
    },
    unbond: (amount: bigint) =>
      mined(wallet.writeContract({ ...channels, functionName: "startUnbond", args: [amount] })),
    operator: (key: Hex, isAllowed: boolean) =>
      mined(wallet.writeContract({ ...channels, functionName: "setOperator", args: [key, isAllowed] })),
    async challenge({ answer, signature, statement }: SignedAnswer & { statement: Preimage }) {
      await mined(wallet.writeContract({ ...token, functionName: "mint", args: [account.address, TERMS.bond] }));
      await mined(wallet.writeContract({ ...token, functionName: "approve", args: [contracts.court, TERMS.bond] }));
      const { r, vs } = toCompactSignature(signature);
      return mined(wallet.writeContract({ ...court, functionName: "challenge", args: [answer, r, vs, statement] }));
    },
    post: (digest: Hex) =>
      mined(wallet.writeContract({ ...court, functionName: "post", args: [digest, numberToHex(1, { size: 32 })] })),
    timeout: (digest: Hex, challenger: Hex) =>
      mined(wallet.writeContract({ ...court, functionName: "timeout", args: [[challengeId(digest, challenger)]] })),
    /** By evidence that a statement needs which is false as it stands: none. */
    refute: (digest: Hex, statement: Preimage) =>
      mined(
        wallet.writeContract({
          ...court,
          functionName: "refute",
          args: [
            challengeId(digest, account.address),
            statement,
            { stage: 0, fold: 0, t: 0, r: 0, c: 0, j: 0 },
            [],
            "0x",
            [],
          ],
        }),
      ),
    async deposit(channel: { payer: Hex; signer: Hex; payee: Hex; model: bigint; salt: Hex }, amount: bigint) {
      await mined(wallet.writeContract({ ...token, functionName: "mint", args: [account.address, amount] }));
      await mined(wallet.writeContract({ ...token, functionName: "approve", args: [contracts.channels, amount] }));
      return mined(wallet.writeContract({ ...channels, functionName: "deposit", args: [channel, amount] }));
    },
  };
}
