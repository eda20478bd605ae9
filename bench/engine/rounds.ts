import { median } from "../statistics.ts";

/** CPU time of a piece of work in all threads of this process, in milliseconds. */
export async function cpuMs(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

/** Each gives what one measurement took, in milliseconds of whatever unit of work they share. */
export type Contestants<Name extends string> = Record<Name, () => number | Promise<number>>;
export type Rounds<Name extends string> = Record<Name, number[]>;

/** Everybody once a round, in turn: what else goes on in the machine meets them alike. Each is warmed up by one run. */
export async function interleaved<Name extends string>(
  contestants: Contestants<Name>,
  rounds: number,
): Promise<Rounds<Name>> {
  const names = Object.keys(contestants) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Rounds<Name>;
  for (const name of names) await contestants[name]();
  for (let round = 0; round < rounds; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed()) times[name].push(await contestants[name]());
  return times;
}

/** The median of each round's own ratio. */
export const ratio = (above: readonly number[], below: readonly number[]): number =>
  median(above.map((time, round) => time / (below[round] ?? Number.NaN)));

export const medians = <Name extends string>(rounds: Rounds<Name>): Record<Name, number> =>
  Object.fromEntries(Object.entries<number[]>(rounds).map(([name, times]) => [name, median(times)])) as Record<
    Name,
    number
  >;
