import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { type Deployment, deploymentFromIgnition } from "@foldmark/protocol";
import { createPublicClient, http, type PublicClient } from "viem";
import { run, start } from "../processes.ts";
import type { Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";

export type Chain = { rpc: string; client: PublicClient; deployment: Deployment };

const HARDHAT = path.resolve("node_modules/hardhat/dist/src/cli.js");

/** The chain and the contracts, with the gas of each. */
export async function chainStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const { chain, gas } = await startChain(progress);
  stage.chain = chain;
  return {
    lines: [
      `${chain.rpc}, chain ${chain.deployment.chainId}`,
      ...Object.entries(gas).map(
        ([name, { address, used }]) => `${name.padEnd(17)} ${address}  ${used.toLocaleString("en")} gas`,
      ),
    ],
    figures: {
      rpc: chain.rpc,
      contracts: Object.fromEntries(
        Object.entries(gas).map(([name, { address, used }]) => [name, { address, gas: Number(used) }]),
      ),
    },
  };
}

type Deployed = Record<string, { address: string; used: bigint }>;

/** A Hardhat network on a free loopback port, and the market's contracts deployed on it by Ignition. */
async function startChain(progress: Progress): Promise<{ chain: Chain; gas: Deployed }> {
  progress.say("compiling the contracts");
  await run("build", [HARDHAT, "build", "--quiet", "--build-profile", "production", "--no-tests"]);

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
  const fromBlock = Number(await client.getBlockNumber());
  const id = `demo-${process.pid}`;
  const folder = path.resolve("ignition/deployments", id);
  try {
    const deploy = ["ignition", "deploy", "ignition/modules/Market.ts", "--network", "local", "--deployment-id", id];
    await run("deployment", [HARDHAT, ...deploy], { env: { RPC_URL: rpc } });
    const addresses = JSON.parse(await readFile(path.join(folder, "deployed_addresses.json"), "utf8"));
    const deployment = deploymentFromIgnition(addresses, { chainId: await client.getChainId(), fromBlock });
    const names = new Map(
      Object.entries<string>(addresses).map(([key, address]) => [address.toLowerCase(), key.replace(/.*#/, "")]),
    );
    return { chain: { rpc, client, deployment }, gas: await deploymentGas(client, fromBlock, names) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The gas that each contract's deployment took, by name. */
async function deploymentGas(client: PublicClient, fromBlock: number, names: Map<string, string>): Promise<Deployed> {
  const gas: Deployed = {};
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
