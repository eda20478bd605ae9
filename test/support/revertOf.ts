import { BaseError, decodeErrorResult, type Hex } from "viem";
import {
  modelRegistryAbi,
  paymentChannelsAbi,
  providerRegistryAbi,
  testUSDAbi,
} from "../../packages/protocol/src/abi.ts";

const errors = [...paymentChannelsAbi, ...modelRegistryAbi, ...providerRegistryAbi, ...testUSDAbi].filter(
  ({ type }) => type === "error",
);

/** The custom error with which a call of ours reverts. Throws when it succeeds or fails for any other reason. */
export async function revertOf(call: Promise<unknown>): Promise<{ name: string; args: readonly unknown[] }> {
  let failure: unknown;
  try {
    await call;
  } catch (error) {
    failure = error;
  }
  if (failure === undefined) throw new Error("The call was expected to revert, but it succeeded.");
  const data = revertData(failure);
  if (!data) throw failure;
  const { errorName, args } = decodeErrorResult({ abi: errors, data });
  return { name: errorName, args: args ?? [] };
}

/** viem and Hardhat hang the bytes at different depths of the chain of causes. */
function revertData(failure: unknown): Hex | undefined {
  if (!(failure instanceof BaseError)) return undefined;
  let found: Hex | undefined;
  failure.walk((cause) => {
    const { data } = cause as { data?: unknown };
    const bytes = typeof data === "object" && data !== null && "data" in data ? data.data : data;
    if (typeof bytes === "string" && /^0x[0-9a-f]{8,}$/i.test(bytes)) found = bytes as Hex;
    return found !== undefined;
  });
  return found;
}
