import type { Program } from "@foldmark/machine";
import { chainError } from "../../chain/market.ts";
import { gasOfChallenge, gasOfDefence } from "./cost.ts";
import type { CourtReader } from "./court.ts";

/** What a challenge puts at risk and what it can bring. Amounts in base units, fees in wei at the present gas price. */
export type Stakes = {
  bond: bigint;
  /** What the earliest open challenge of a convicted answer gets: a quarter of the penalty. */
  reward: bigint;
  /** What is set aside for whoever paid for the answer: another quarter. */
  compensation: bigint;
  /** Upper bounds: `least` where the payee's node shows its tree, `most` where everything is asked for at the court. */
  gas: { least: bigint; most: bigint; payee: bigint };
  gasPrice: bigint;
  fees: { least: bigint; most: bigint };
};

const SHARE = 4n;

/** @throws `chain.unreachable` */
export async function stakesOf(court: CourtReader, { program, T }: { program: Program; T: number }): Promise<Stakes> {
  const { penalty } = court.market.terms;
  const gasPrice = await court.market.chain.client.getGasPrice().catch((error) => {
    throw chainError(error, "read the gas price");
  });
  const { least, most } = gasOfChallenge(program, T);
  return {
    ...{ bond: court.terms.bond, reward: penalty / SHARE, compensation: penalty / SHARE, gasPrice },
    gas: { least, most, payee: gasOfDefence(program, T) },
    fees: { least: least * gasPrice, most: most * gasPrice },
  };
}
