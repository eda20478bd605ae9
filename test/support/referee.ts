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

/** Far above the cost model's 8,000,000, so that what exceeds it is measured. */
const GAS_OF_A_CALL = 2 ** 32;
const GAS_OF_A_BLOCK = 2n ** 40n;
const meterAbi = parseAbi([
  "function measure(address to, uint256 gasLimit, bytes data) view returns (bool success, uint256 gasUsed, bytes32 head, uint256 size)",
]);

/** The referee on a chain of its own. */
export async function openReferee() {
  const { viem, provider } = await hre.network.create({
    network: "sim",
    override: { blockGasLimit: GAS_OF_A_BLOCK, transactionGasCap: GAS_OF_A_BLOCK },
  });
  const meter = await viem.deployContract("CallMeter");
  const referee = await viem.deployContract("Referee");
  const selector = toFunctionSelector(getAbiItem({ abi: referee.abi, name: "refute" }));
  const errors = new Map<string, string>(
    referee.abi.flatMap((item): [string, string][] =>
      item.type === "error" ? [[toFunctionSelector(`${item.name}(${typesOf(item.inputs)})`), item.name]] : [],
    ),
  );

  /** Arguments as bytes, which need not be well encoded. */
  async function call(argumentBytes: Uint8Array, gasLimit = GAS_OF_A_CALL): Promise<Outcome> {
    const calldata = Buffer.concat([Buffer.from(selector.slice(2), "hex"), argumentBytes]);
    const data = encodeFunctionData({
      abi: meterAbi,
      functionName: "measure",
      args: [referee.address, BigInt(gasLimit), `0x${calldata.toString("hex")}`],
    });
    const request = { to: meter.address, data, gas: `0x${(GAS_OF_A_BLOCK / 2n).toString(16)}` };
    const result = (await provider.request({ method: "eth_call", params: [request, "latest"] })) as Hex;
    const [success, gasUsed, head, size] = decodeFunctionResult({
      abi: meterAbi,
      functionName: "measure",
      data: result,
    });
    const executionGas = Number(gasUsed);
    return {
      verdict: success ? answerOf(head, size) : size === 0n ? "empty revert" : nameOf(head.slice(0, 10)),
      ...{ executionGas, gas: transactionGas(calldata, executionGas), calldataBytes: calldata.length },
    };
  }
  const nameOf = (head: string) => errors.get(head) ?? `error ${head}`;

  const refute = (asked: RefuteCall) => call(encodeRefute(asked));
  return {
    call,
    refute,
    /** What comes of a call that is given so much gas and no more. */
    starve: (asked: RefuteCall, gasLimit: number) => call(encodeRefute(asked), gasLimit),
    async refuteAll(asked: readonly RefuteCall[]): Promise<Outcome[]> {
      const outcomes: Outcome[] = [];
      for (const each of asked) outcomes.push(await refute(each));
      return outcomes;
    },
  };
}

export type Referee = Awaited<ReturnType<typeof openReferee>>;

const typesOf = (inputs: readonly { type: string }[]): string => inputs.map(({ type }) => type).join();

const TRUE = `0x${"1".padStart(64, "0")}`;
const answerOf = (head: Hex, size: bigint) => (size === 32n && head === TRUE ? "refuted" : `returned ${head}`);

/** EIP-2028 and EIP-7623: calldata by its bytes, and a floor under the whole. */
function transactionGas(calldata: Uint8Array, executionGas: number): number {
  const zeros = calldata.reduce((sum, byte) => (byte === 0 ? sum + 1 : sum), 0);
  const others = calldata.length - zeros;
  return 21_000 + Math.max(4 * zeros + 16 * others + executionGas, 10 * zeros + 40 * others);
}
