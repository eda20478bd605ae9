import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import type { Deployment } from "@foldmark/protocol";
import { listen } from "@foldmark/service";
import hre from "hardhat";
import type { Address, Hex } from "viem";
import MarketModule from "../../../ignition/modules/Market.ts";

type RpcCall = { id: number; method: string; params?: unknown[] };

/** A chain in this process with the market on it, reached over HTTP like any other. */
export async function openChain() {
  const connection = await hre.network.create("sim");
  const { provider, ignition, viem, networkHelpers } = connection;
  const deployed = await ignition.deploy(MarketModule);
  const server = createServer(async (request, response) => {
    const { id, method, params = [] }: RpcCall = JSON.parse(await text(request));
    const reply = (body: object) =>
      response.setHeader("content-type", "application/json").end(JSON.stringify({ jsonrpc: "2.0", id, ...body }));
    provider.request({ method, params }).then(
      (result) => reply({ result }),
      (error) => reply({ error: { code: error.code ?? -32603, message: error.message, data: dataOf(error) } }),
    );
  });
  const { url } = await listen(server, { host: "127.0.0.1", port: 0 });
  const client = await viem.getPublicClient();
  const [funder, payer] = await viem.getWalletClients();
  if (!funder || !payer) throw new Error("the chain has no accounts");
  const deployment: Deployment = {
    chainId: await client.getChainId(),
    fromBlock: 0,
    contracts: {
      ...{ token: deployed.testUSD.address, models: deployed.modelRegistry.address },
      ...{ providers: deployed.providerRegistry.address, channels: deployed.paymentChannels.address },
      ...{ court: deployed.court.address, referee: deployed.referee.address },
    },
  };
  return {
    ...{ url, deployment, client, payer, networkHelpers, server, viem },
    fund: (to: Address) => funder.sendTransaction({ to, value: 10n ** 18n }),
    async close() {
      server.closeAllConnections();
      server.close();
      await connection.close();
    },
  };
}

/** Where a revert's bytes are differs between what the provider throws and what JSON-RPC sends. */
function dataOf(error: { data?: Hex | { data?: Hex } | null }): Hex | undefined {
  return typeof error.data === "object" ? error.data?.data : error.data;
}
