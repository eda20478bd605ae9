import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Deployment, parseDeployment } from "@foldmark/protocol";
import { createPublicClient, http, type PublicClient } from "viem";
import { run, start } from "../processes.ts";
import type { Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";

export type Chain = { rpc: string; client: PublicClient; deployment: Deployment };

const HARDHAT = path.resolve("node_modules/hardhat/dist/src/cli.js");

/** What is deployed, and nothing that only tests need: the optimiser takes a minute for that. */
const SOURCES = [
  ...["market/PaymentChannels", "market/ModelRegistry", "market/ProviderRegistry"],
  ...["court/Court", "court/Referee", "mocks/TestUSD"],
].map((name) => `contracts/${name}.sol`);

/** The chain and the contracts, with the gas of each. */
export async function chainStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const { chain, gas } = await startChain(stage, progress);
  const missing = Object.values(NAMES).filter((name) => !gas[name]);
  if (missing.length > 0) throw new Error(`the chain shows no deployment of ${missing.join(", ")}`);
  stage.chain = chain;
  return {
    lines: [
      `${chain.rpc}, chain ${chain.deployment.chainId}`,
      ...Object.entries(gas).map(
        ([name, { address, used }]) => `${name.padEnd(17)} ${address}  ${used.toLocaleString("en")} gas`,
      ),
      `${"Court".padEnd(17)} ${chain.deployment.contracts.court}  made by PaymentChannels`,
    ],
    figures: {
      rpc: chain.rpc,
      contracts: Object.fromEntries(
        Object.entries(gas).map(([name, { address, used }]) => [name, { address, gas: Number(used) }]),
      ),
      court: chain.deployment.contracts.court,
    },
  };
}

type Deployed = Record<string, { address: string; used: bigint }>;

/** A Hardhat network on a free loopback port, and the market's contracts deployed on it by Ignition. */
async function startChain({ work }: Stage, progress: Progress): Promise<{ chain: Chain; gas: Deployed }> {
  progress.say("compiling the contracts");
  await run("build", [HARDHAT, "build", "--quiet", "--build-profile", "production", "--no-tests", ...SOURCES]);

  progress.say("starting a Hardhat network");
  const { ready: rpc } = await start(
    "chain",
    [HARDHAT, "node", "--network", "node", "--hostname", "127.0.0.1", "--port", "0"],
    {
      ready: (line) => line.match(/server at (http:\S+)/)?.[1]?.replace(/\/$/, ""),
    },
  );
  const client = createPublicClient({ transport: http(rpc), pollingInterval: 200 });

  progress.say("deploying the contracts");
  const file = path.join(work, "deployment.json");
  await run("deployment", ["scripts/deploy.ts", file], { env: { RPC_URL: rpc } });
  const deployment = parseDeployment(await readFile(file, "utf8"));
  return { chain: { rpc, client, deployment }, gas: await deploymentGas(client, deployment) };
}

const NAMES = {
  token: "TestUSD",
  models: "ModelRegistry",
  channels: "PaymentChannels",
  providers: "ProviderRegistry",
  referee: "Referee",
} as const;

/** The gas that each contract's deployment took, by name. */
async function deploymentGas(client: PublicClient, { contracts, fromBlock }: Deployment): Promise<Deployed> {
  const gas: Deployed = {};
  const names = new Map(
    Object.entries(NAMES).map(([key, name]) => [contracts[key as keyof typeof NAMES].toLowerCase(), name]),
  );
  const head = await client.getBlockNumber();
  for (let number = BigInt(fromBlock); number <= head; number++) {
    const { transactions } = await client.getBlock({ blockNumber: number });
    for (const hash of transactions) {
      const { contractAddress, gasUsed } = await client.getTransactionReceipt({ hash });
      const name = contractAddress && names.get(contractAddress.toLowerCase());
      if (contractAddress && name) gas[name] = { address: contractAddress, used: gasUsed };
    }
  }
  return gas;
}
