import { WorkloadError } from "../errors.ts";

export const PATHS_PER_BLOCK = 1_024;

/** The columns of the request tensor i64[1, 8] and the ranges to which the program clamps them; the last two are 0. */
export const OPTION = {
  columns: 8,
  seed: { column: 0 },
  blocks: { column: 1 },
  /** A year, continuously compounded, 10^-6. */
  rate: { column: 2, least: -1_000_000, most: 1_000_000 },
  /** A square root of a year, 10^-6. */
  volatility: { column: 3, least: 0, most: 4_000_000 },
  /** Years, 10^-6. */
  maturity: { column: 4, least: 0, most: 64_000_000 },
  /** Strike over spot price, 10^-6. */
  strike: { column: 5, least: 0, most: 128_000_000 },
} as const;

/** A European call. Rates and prices are decimals, such as 0.05 a year and a strike of 1.1 times the spot price. */
export type EuropeanCall = { rate: number; volatility: number; maturity: number; strike: number };
export type CallOrder = EuropeanCall & { seed: bigint; blocks: number };
export type CallPrice = { price: number; standardError: number };

/**
 * The request tensors of an order. Decimals are rounded to millionths.
 * @throws `simulation.parameter` with name, value and range
 */
export function callRequest(order: CallOrder, { maxT }: { maxT: number }): Uint8Array[] {
  const bytes = new Uint8Array(8 * OPTION.columns);
  const view = new DataView(bytes.buffer);
  const put = (column: number, value: bigint) => view.setBigInt64(8 * column, value, true);
  put(OPTION.seed.column, BigInt.asIntN(64, order.seed));
  put(OPTION.blocks.column, BigInt(within("blocks", order.blocks, 1, maxT, Number.isInteger(order.blocks))));
  for (const name of ["rate", "volatility", "maturity", "strike"] as const) {
    const { column, least, most } = OPTION[name];
    const value = within(name, order[name], least / 1e6, most / 1e6);
    put(column, BigInt(Math.floor(value * 1e6 + 0.5)));
  }
  checkCallRequest([bytes], { maxT });
  return [bytes];
}

/**
 * Refuses request tensors that have no true statement, or one that a payoff's saturation would falsify.
 * @throws `simulation.request_shape`, `simulation.parameter`
 */
export function checkCallRequest(request: readonly Uint8Array[], { maxT }: { maxT: number }): void {
  const [bytes] = request;
  if (request.length !== 1 || bytes?.length !== 8 * OPTION.columns) {
    throw new WorkloadError("simulation.request_shape", `An order is one tensor of ${8 * OPTION.columns} bytes.`, {
      sizes: request.map(({ length }) => length),
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const column = (n: number) => view.getBigInt64(8 * n, true);
  const millionths = (name: "rate" | "volatility" | "maturity" | "strike") => {
    const { least, most } = OPTION[name];
    return within(name, Number(column(OPTION[name].column)) / 1e6, least / 1e6, most / 1e6);
  };
  within("blocks", Number(column(OPTION.blocks.column)), 1, maxT);
  millionths("strike");
  const maturity = millionths("maturity");
  within("rate * maturity", millionths("rate") * maturity, -5, 5);
  within("volatility * sqrt(maturity)", millionths("volatility") * Math.sqrt(maturity), 0, 1);
  for (let spare = 6; spare < OPTION.columns; spare++) within(`column ${spare}`, Number(column(spare)), 0, 0);
}

/** Blocks of an order: the T of its job. */
export function callBlocks([bytes]: readonly Uint8Array[]): number {
  if (!bytes) throw new WorkloadError("simulation.request_shape", "An order is one tensor.", { sizes: [] });
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(8 * OPTION.blocks.column, true));
}

/** Price and standard error from the claimed tensor, in units of the spot price. */
export function readCallPrice(claimed: Uint8Array): CallPrice {
  const view = new DataView(claimed.buffer, claimed.byteOffset, claimed.byteLength);
  return { price: Number(view.getBigInt64(0, true)) / 1e6, standardError: Number(view.getBigInt64(8, true)) / 1e6 };
}

function within(name: string, value: number, least: number, most: number, isWhole = true): number {
  if (isWhole && value >= least && value <= most) return value;
  const message = `${name} must ${isWhole ? "" : "be whole and "}lie in ${least}..${most}, it is ${value}.`;
  throw new WorkloadError("simulation.parameter", message, { name, value, least, most });
}
