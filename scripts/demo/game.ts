// A finished game as anybody can replay it, from the chain's events alone.
import type { Address, Hex } from "viem";
import { z } from "zod";
import { foldmark } from "./foldmark.ts";
import type { Home } from "./stage.ts";
import { dollars } from "./steps/model.ts";

/** One event of a game. */
export type Round = z.output<typeof roundSchema>;
const roundSchema = z.looseObject({
  event: z.string(),
  by: z.string(),
  what: z.string(),
  transaction: z.string(),
  gasUsed: z.coerce.bigint(),
});
const shown = z.looseObject({ rounds: z.array(roundSchema) });

/** `foldmark disputes show ID`, from any home folder that knows the chain. */
export async function replay({ folder }: Home, id: Hex): Promise<Round[]> {
  return shown.parse(await foldmark(folder, ["disputes", "show", id])).rounds;
}

/** The moves of a game, one a line: who, the gas of it, and what was asked or shown. */
export function roundLines(rounds: readonly Round[], players: readonly { name: string; address: string }[]): string[] {
  const names = new Map(players.map(({ name, address }) => [address.toLowerCase(), name]));
  const width = Math.max(...players.map(({ name }) => name.length));
  const named = (text: string) =>
    text.replace(/0x[0-9a-fA-F]{40}\b/g, (address) => names.get(address.toLowerCase()) ?? address);
  return rounds.map(({ event, by, gasUsed, transaction, what }, i) => {
    const isPaid = rounds[i - 1]?.transaction !== transaction; // one transaction may bring about several events
    const gas = isPaid ? `${gasUsed.toLocaleString("en").padStart(9)} gas` : "".padEnd(13);
    const text = named(what).replace(/0x[0-9a-f]{64}/g, (hash) => `${hash.slice(0, 10)}..`);
    const amounts =
      event === "Lost" || event === "BondTaken" ? text.replace(/\d{4,}/g, (n) => dollars(BigInt(n))) : text;
    return `  ${(isPaid ? named(by) : "").padEnd(width)} ${gas}  ${amounts}`;
  });
}

/** Gas of a game's transactions, of one account or of all. */
export function gasOf(rounds: readonly Round[], by?: Address): bigint {
  const own = rounds.filter((round) => by === undefined || round.by.toLowerCase() === by.toLowerCase());
  const gas = new Map(own.map(({ transaction, gasUsed }) => [transaction, gasUsed]));
  return [...gas.values()].reduce((sum, used) => sum + used, 0n);
}

export const gasText = (gas: bigint): string => gas.toLocaleString("en");
