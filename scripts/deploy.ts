// Deploys the market to the chain of RPC_URL by Ignition and writes its addresses: `node scripts/deploy.ts FILE`. The file is
// what `foldmark init --deployment` and `foldmark-gateway start --deployment` take. Run `npm run build` before.
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { deploymentFromIgnition } from "@foldmark/protocol";
import hre from "hardhat";
import Market from "../ignition/modules/Market.ts";

const [file] = process.argv.slice(2);
if (!file || !process.env.RPC_URL) {
  console.error("deploy: RPC_URL=http://... node scripts/deploy.ts FILE");
  process.exit(2);
}
const connection = await hre.network.create("local");
const client = await connection.viem.getPublicClient();
const fromBlock = Number(await client.getBlockNumber());
const chainId = await client.getChainId();
// Ignition goes on with a deployment of the same name, and by default that is the chain's number: a local chain that was
// started anew would be taken for one that has everything
const deploymentId = `market-${chainId}-${Date.now()}`;
const deployed = await connection.ignition.deploy(Market, { deploymentId });
const addresses = {
  TestUSD: deployed.testUSD.address,
  ModelRegistry: deployed.modelRegistry.address,
  PaymentChannels: deployed.paymentChannels.address,
  Court: deployed.court.address,
  Referee: deployed.referee.address,
  ProviderRegistry: deployed.providerRegistry.address,
};
const deployment = deploymentFromIgnition(addresses, { chainId, fromBlock });
await rm(path.resolve("ignition/deployments", deploymentId), { recursive: true, force: true });
await writeFile(file, `${JSON.stringify(deployment, null, 2)}\n`);
console.log(JSON.stringify(deployment, null, 2));
