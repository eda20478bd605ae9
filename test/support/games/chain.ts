import hre from "hardhat";
import {
  type Abi,
  type Address,
  BaseError,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type ContractFunctionReturnType,
  decodeErrorResult,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
  numberToHex,
  type RpcLog,
} from "viem";
import MarketModule from "../../../ignition/modules/Market.ts";
import {
  courtAbi,
  modelRegistryAbi,
  paymentChannelsAbi,
  refereeAbi,
  testUSDAbi,
} from "../../../packages/protocol/src/abi.ts";

/** What came of a transaction: its logs, or the contract's error by name. */
export type Sent = { ok: true; logs: RpcLog[]; gasUsed: number } | { ok: false; error: string };

/** Seconds and base units, as the market is deployed with them. */
export type GameTerms = {
  windowSeconds: bigint;
  noticeSeconds: bigint;
  penalty: bigint;
  bond: bigint;
  payeeClockSeconds: bigint;
  challengerClockSeconds: bigint;
  slotStepSeconds: bigint;
  floorSeconds: bigint;
};

type View = "pure" | "view";
type Write = "nonpayable";
export type Call<A extends Abi, M extends View | Write, F extends ContractFunctionName<A, M>> = {
  functionName: F;
  args: ContractFunctionArgs<A, M, F>;
};

const GAS = numberToHex(16_000_000);
const errors = [...courtAbi, ...refereeAbi, ...paymentChannelsAbi, ...modelRegistryAbi, ...testUSDAbi].filter(
  ({ type }) => type === "error",
);
export const ABI = { court: courtAbi, channels: paymentChannelsAbi, token: testUSDAbi, models: modelRegistryAbi };
type Contracts = typeof ABI;
export type ContractName = keyof Contracts;

/** The first second of a chain of games: the same in every run, since held income turns on the number of the epoch. */
const START = 1_800_000_000;

export type GameChain = Awaited<ReturnType<typeof openGameChain>>;

/** The market on a chain whose time stands still until it is moved, and on which anybody sends for nothing. */
export async function openGameChain(terms: GameTerms) {
  const { provider, ignition } = await hre.network.create({
    network: "sim",
    override: {
      allowBlocksWithSameTimestamp: true,
      initialBaseFeePerGas: 0,
      initialDate: new Date(1_000 * START),
      mining: { auto: true, mempool: { order: "fifo" } },
    },
  });
  const { testUSD, modelRegistry, referee, paymentChannels, court } = await ignition.deploy(MarketModule, {
    parameters: { Market: terms },
  });
  const addresses: Record<ContractName | "referee", Address> = {
    ...{ token: testUSD.address, models: modelRegistry.address, referee: referee.address },
    ...{ channels: paymentChannels.address, court: court.address },
  };
  const known = new Set<Address>();
  const rpc = <T>(method: string, params: unknown[] = []): Promise<T> =>
    provider.request({ method, params }) as Promise<T>;
  let now = Number((await rpc<{ timestamp: Hex }>("eth_getBlockByNumber", ["latest", false])).timestamp);

  async function transact(from: Address, to: Address, data: Hex): Promise<Sent> {
    if (!known.has(from)) {
      await rpc("hardhat_impersonateAccount", [from]);
      known.add(from);
    }
    await rpc("evm_setNextBlockTimestamp", [now]);
    try {
      const hash = await rpc<Hex>("eth_sendTransaction", [{ from, to, data, gas: GAS, gasPrice: "0x0" }]);
      const { logs, gasUsed } = await rpc<{ logs: RpcLog[]; gasUsed: Hex }>("eth_getTransactionReceipt", [hash]);
      return { ok: true, logs, gasUsed: Number(gasUsed) };
    } catch (error) {
      return { ok: false, error: errorName(error) };
    }
  }

  return {
    terms,
    addresses,
    get now() {
      return now;
    },
    /** Mines a block at a later second. */
    async waitUntil(second: number): Promise<void> {
      if (second < now) throw new RangeError(`The chain is at ${now} and cannot go back to ${second}.`);
      if (second === now) return;
      now = second;
      await rpc("evm_setNextBlockTimestamp", [now]);
      await rpc("evm_mine");
    },
    send: <N extends ContractName, F extends ContractFunctionName<Contracts[N], Write>>(
      from: Address,
      contract: N,
      call: Call<Contracts[N], Write, F>,
    ) => transact(from, addresses[contract], encoded(ABI[contract], call)),
    /** What a transaction would do now; nothing is changed. */
    async attempt<N extends ContractName, F extends ContractFunctionName<Contracts[N], Write>>(
      from: Address,
      contract: N,
      call: Call<Contracts[N], Write, F>,
    ): Promise<"done" | string> {
      try {
        const data = encoded(ABI[contract], call);
        await rpc("eth_call", [{ from, to: addresses[contract], data, gas: GAS, gasPrice: "0x0" }, "latest"]);
        return "done";
      } catch (error) {
        return errorName(error);
      }
    },
    async read<N extends ContractName, F extends ContractFunctionName<Contracts[N], View>>(
      contract: N,
      call: Call<Contracts[N], View, F>,
    ) {
      const data = await rpc<Hex>("eth_call", [
        { to: addresses[contract], data: encoded(ABI[contract], call) },
        "latest",
      ]);
      const abi: Abi = ABI[contract];
      const decoded = decodeFunctionResult({ abi, functionName: call.functionName as string, data });
      return decoded as ContractFunctionReturnType<Contracts[N], View, F>;
    },
    /** Undoes all that is done after it was called. */
    async mark(): Promise<() => Promise<void>> {
      const [id, then] = [await rpc<Hex>("evm_snapshot"), now];
      return async () => {
        await rpc("evm_revert", [id]);
        now = then;
      };
    },
  };
}

const encoded = (abi: Abi, { functionName, args }: { functionName: string; args: unknown }): Hex =>
  encodeFunctionData({ abi, functionName, args: args as readonly unknown[] });

/** The custom error with which a call reverted. Throws what is no revert of a contract of ours. */
function errorName(error: unknown): string {
  const data = dataOf(error);
  if (!data) throw error;
  return decodeErrorResult({ abi: errors, data }).errorName;
}

function dataOf(error: unknown): Hex | undefined {
  if (error instanceof BaseError || typeof error !== "object" || error === null || !("data" in error)) return undefined;
  const { data } = error;
  const bytes = typeof data === "object" && data !== null && "data" in data ? data.data : data;
  return typeof bytes === "string" && /^0x[0-9a-f]{8,}$/i.test(bytes) ? (bytes as Hex) : undefined;
}
