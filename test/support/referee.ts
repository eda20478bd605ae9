import hre from "hardhat";
import { decodeFunctionResult, encodeFunctionData, getAbiItem, type Hex, parseAbi, toFunctionSelector } from "viem";
import { encodeRefute, type RefuteCall } from "./refuteCall.ts";

/** What came of one call: `refuted`, or the name of the error with which the contract reverted. */
export type Outcome = {
  verdict: string;
  /** Gas of the call itself, without what a transaction pays for its calldata. */
  executionGas: number;
  /** Gas of a transaction that makes it. */
  gas: number;
  calldataBytes: number;
};

const BATCH_BYTES = 400_000;
const BATCH_CALLS = 64;
/** A refutation takes at most 8,000,000 by the cost model. */
const GAS_OF_A_CALL = 30_000_000n;
const GAS_OF_A_BATCH = 2n ** 40n;
const batchAbi = parseAbi([
  "struct Outcome { bool success; uint64 gasUsed; bytes32 head; uint32 size; }",
  "function callAll(address to, uint256 gasEach, bytes[] calls) view returns (Outcome[])",
]);

/** The referee on a chain of its own, asked many questions in one call. */
export async function openReferee() {
  const { viem, provider } = await hre.network.create({
    network: "sim",
    override: { blockGasLimit: 2n * GAS_OF_A_BATCH, transactionGasCap: 2n * GAS_OF_A_BATCH },
  });
  const batch = await viem.deployContract("RefereeBatch");
  const referee = await viem.deployContract("Referee");
  const selector = toFunctionSelector(getAbiItem({ abi: referee.abi, name: "refute" }));
  const errors = new Map<string, string>(
    referee.abi.flatMap((item): [string, string][] =>
      item.type === "error" ? [[toFunctionSelector(`${item.name}(${typesOf(item.inputs)})`), item.name]] : [],
    ),
  );

  const ask = async (calls: Buffer[]): Promise<Outcome[]> => {
    const data = encodeFunctionData({
      abi: batchAbi,
      functionName: "callAll",
      args: [referee.address, GAS_OF_A_CALL, calls.map((call): Hex => `0x${call.toString("hex")}`)],
    });
    const request = { to: batch.address, data, gas: `0x${GAS_OF_A_BATCH.toString(16)}` };
    const result = (await provider.request({ method: "eth_call", params: [request, "latest"] })) as Hex;
    const outcomes = decodeFunctionResult({ abi: batchAbi, functionName: "callAll", data: result });
    return outcomes.map((raw, i) => outcomeOf(raw, calls[i] ?? Buffer.alloc(0), errors));
  };

  /** Calldata as given, which need not be well encoded. */
  async function callAll(calls: readonly Uint8Array[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    let batched: Buffer[] = [];
    let size = 0;
    for (const call of calls) {
      const data = Buffer.concat([Buffer.from(selector.slice(2), "hex"), call]);
      if (batched.length > 0 && (size + data.length > BATCH_BYTES || batched.length === BATCH_CALLS)) {
        outcomes.push(...(await ask(batched)));
        [batched, size] = [[], 0];
      }
      batched.push(data);
      size += data.length;
    }
    if (batched.length > 0) outcomes.push(...(await ask(batched)));
    return outcomes;
  }

  return {
    callAll,
    refuteAll: (calls: readonly RefuteCall[]) => callAll(calls.map(encodeRefute)),
    refute: async (call: RefuteCall) => (await callAll([encodeRefute(call)]))[0] as Outcome,
  };
}

export type Referee = Awaited<ReturnType<typeof openReferee>>;
type Raw = { success: boolean; gasUsed: bigint; head: Hex; size: number };

const typesOf = (inputs: readonly { type: string }[]): string => inputs.map(({ type }) => type).join();

const TRUE = `0x${"1".padStart(64, "0")}`;

function outcomeOf({ success, gasUsed, head, size }: Raw, call: Buffer, errors: Map<string, string>): Outcome {
  const zeros = call.reduce((sum, byte) => (byte === 0 ? sum + 1 : sum), 0);
  const others = call.length - zeros;
  // EIP-2028 and EIP-7623: calldata by its bytes, and a floor under the whole
  const gas = 21_000 + Math.max(4 * zeros + 16 * others + Number(gasUsed), 10 * zeros + 40 * others);
  const verdict = success
    ? size === 32 && head === TRUE
      ? "refuted"
      : `returned ${head}`
    : size === 0
      ? "empty revert"
      : (errors.get(head.slice(0, 10)) ?? `error ${head}`);
  return { verdict, executionGas: Number(gasUsed), gas, calldataBytes: call.length };
}
