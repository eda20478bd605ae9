import { type Deployment, defaultConfirmations, FoldmarkError } from "@foldmark/protocol";
import {
  type Account,
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  fallback,
  http,
  type PublicClient,
  type Transport,
  type WalletClient,
} from "viem";

export type ChainOptions = {
  /** RPC endpoints; the first that answers is used. */
  rpc: readonly string[];
  chainId: number;
  /** How deep a block must lie before it counts; by default 1 on a local chain and 12 elsewhere. */
  confirmations?: number;
  pollingIntervalMs?: number;
  timeoutMs?: number;
};

export type ChainClient = PublicClient<Transport, Chain>;
export type ChainWallet = WalletClient<Transport, Chain, Account>;

/** One connection to the chain: reading, and a wallet for each account that sends. */
export type ChainConnection = {
  readonly chainId: number;
  readonly confirmations: number;
  readonly client: ChainClient;
  walletOf(account: Account): ChainWallet;
};

/**
 * Connects and asks once who is there.
 * @throws `chain.unreachable`, `chain.wrong_id`
 */
export async function connectChain(options: ChainOptions): Promise<ChainConnection> {
  const {
    rpc,
    chainId,
    confirmations = defaultConfirmations(chainId),
    pollingIntervalMs = 500,
    timeoutMs = 10_000,
  } = options;
  const chain = defineChain({
    id: chainId,
    name: chainId === 31337 ? "local" : `eip155:${chainId}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: rpc } },
  });
  const transport = fallback(rpc.map((url) => http(url, { timeout: timeoutMs, retryCount: 1 })));
  const client: ChainClient = createPublicClient({
    chain,
    transport,
    pollingInterval: pollingIntervalMs,
    cacheTime: 0,
  });
  await checkChainId(client, { rpc, chainId });
  return {
    chainId,
    confirmations,
    client,
    walletOf: (account) => createWalletClient({ account, chain, transport, pollingInterval: pollingIntervalMs }),
  };
}

/** Every contract of the deployment must have code. @throws `chain.no_contract` with its name and address */
export async function checkDeployment({ client }: ChainConnection, { contracts, chainId }: Deployment): Promise<void> {
  await Promise.all(
    Object.entries(contracts).map(async ([name, address]) => {
      if (address === undefined || (await client.getCode({ address })) !== undefined) return;
      throw new FoldmarkError(
        "chain.no_contract",
        `There is no contract at ${address} (${name}) on chain ${chainId}.`,
        {
          details: { name, address, chainId },
          hint: "Use the deployment file of this very chain; a local chain forgets its contracts when it is restarted.",
        },
      );
    }),
  );
}

async function checkChainId(
  client: ChainClient,
  { rpc, chainId }: { rpc: readonly string[]; chainId: number },
): Promise<void> {
  const got = await chainIdOf(client, rpc);
  if (got !== chainId)
    throw new FoldmarkError(
      "chain.wrong_id",
      `The chain at ${places(rpc)} has id ${got}, the settings say ${chainId}.`,
      {
        details: { got, expected: chainId },
        hint: "Change the RPC address, or use the deployment of that chain.",
      },
    );
}

async function chainIdOf(client: ChainClient, rpc: readonly string[]): Promise<number> {
  try {
    return await client.getChainId();
  } catch (cause) {
    throw new FoldmarkError("chain.unreachable", `No chain answers at ${places(rpc)}.`, {
      details: { rpc: rpc.map(hostOf) },
      hint: "Start the chain, or change the RPC address.",
      cause,
    });
  }
}

const places = (rpc: readonly string[]): string => rpc.map(hostOf).join(", ");

/** RPC addresses often hold a key in their path or query: only the origin is ever shown. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "(no URL)";
}
