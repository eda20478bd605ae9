import {
  add,
  and,
  clamp,
  type Expr,
  eq,
  type FoldHandle,
  floorShr,
  isqrt,
  max,
  min,
  mul,
  mulshr,
  type Program,
  programBuilder,
  select,
  shl,
  shr,
  size,
  sub,
  udiv,
} from "@foldmark/machine";
import { z } from "zod";
import { WorkloadError } from "../errors.ts";
import { littleEndian } from "../exact/littleEndian.ts";
import { interpolated, noisePlace } from "../exact/noise.ts";
import { OPTION, PATHS_PER_BLOCK } from "./option.ts";
import { normalTable, powersOfTwoTable } from "./tables.ts";

const schema = z.strictObject({
  /** The only payoff that there is. */
  payoff: z.literal("european-call"),
  /** Most blocks of 1,024 paths that a job may have. */
  maxT: z.int().min(1).max(4_096),
});
export type MonteCarloConfiguration = z.infer<typeof schema>;

export const DEFAULT_MONTE_CARLO: MonteCarloConfiguration = { payoff: "european-call", maxT: 1_024 };

/** @throws `simulation.configuration_invalid` */
export function parseMonteCarloConfiguration(value: unknown): MonteCarloConfiguration {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${path.join(".") || "configuration"}: ${message}`);
  const message = `The Monte Carlo configuration is not valid: ${issues.join("; ")}.`;
  throw new WorkloadError("simulation.configuration_invalid", message, { issues });
}

/** The constants of the program as bytes, in its order. */
export function monteCarloConstants(): Uint8Array[] {
  return [littleEndian(normalTable()), littleEndian(powersOfTwoTable())];
}

/**
 * A European call under geometric Brownian motion (Black and Scholes 1973), priced over T blocks of 1,024 paths:
 * discount * mean of max(0, S - strike), S = exp((rate - volatility^2 / 2) * maturity + volatility * sqrt(maturity) * z),
 * in units of the spot price. Request: `option.ts`. Claimed: price and standard error, 10^-6 of spot.
 * Q(n) means n fraction bits; exponents are to base 2.
 */
export function monteCarloProgram({ maxT }: MonteCarloConfiguration): { program: Program; result: FoldHandle } {
  const p = programBuilder({ maxT });
  const parameters = p.request({ type: "i64", rows: 1, cols: OPTION.columns });
  const claimed = p.claimed({ type: "i64", rows: 1, cols: 2 });
  const normals = p.constant({ type: "i32", rows: 1, cols: 2_049 }); // Q20, below the median
  const powers = p.constant({ type: "i32", rows: 1, cols: 257 }); // Q30
  const parameter = ({ column, least, most }: { column: number; least: number; most: number }) =>
    clamp(parameters.at(0, column), least, most);

  /** 2^x for x in Q32, as Q30: right shifts of a table entry, at most 8 octaves up. */
  const powerOfTwo = (x: Expr): Expr => {
    const octaves = clamp(floorShr(x, 32), -40, 8);
    const fraction = and(x, 2 ** 32 - 1);
    const entry = floorShr(fraction, 24);
    const here = powers.at(0, entry);
    const slope = sub(powers.at(0, add(entry, 1)), here);
    const mantissa = add(here, shr(mul(slope, and(fraction, 2 ** 24 - 1)), 24));
    return shr(shl(mantissa, 8), sub(8, octaves));
  };

  const setup = p.loop({ steps: 1 }, (loop) => {
    // volatility^2 * maturity in 2^20 / 10^18; a product of both units would not fit
    const variance = loop.fold({ type: "i64" }, () => {
      const volatility = parameter(OPTION.volatility);
      return min(mulshr(mul(volatility, volatility), parameter(OPTION.maturity), 20), LARGEST_VARIANCE);
    });
    // rate * maturity * log2(e), Q32
    const growth = loop.fold({ type: "i64" }, () => {
      const product = mul(parameter(OPTION.rate), parameter(OPTION.maturity));
      return clamp(mulshr(product, GROWTH_FACTOR, 60), -(2n ** 36n), 2n ** 36n);
    });
    const drift = loop.fold({ type: "i64" }, () =>
      sub(loop.now(growth, 0, 0), mulshr(loop.now(variance, 0, 0), VARIANCE_FACTOR, 60)),
    );
    // volatility * sqrt(maturity) * log2(e), Q32
    const deviation = loop.fold({ type: "i64" }, () =>
      shl(isqrt(mulshr(loop.now(variance, 0, 0), DEVIATION_FACTOR, 20)), 2),
    );
    const discount = loop.fold({ type: "i64" }, () => powerOfTwo(sub(0, loop.now(growth, 0, 0)))); // Q30
    const strike = loop.fold({ type: "i64" }, () => mulshr(parameter(OPTION.strike), STRIKE_FACTOR, 40)); // Q24
    return { drift, deviation, discount, strike };
  });

  // i32[1, 1024], Q24; saturates at 128 times the spot price
  const payoff = p.fold({ name: "payoff", type: "i32", cols: PATHS_PER_BLOCK }, ({ t, c }) => {
    const { isLower, ...place } = noisePlace(t, c, parameters.at(0, OPTION.seed.column));
    const quantile = interpolated(normals, 0, place);
    const z = select(isLower, quantile, sub(0, quantile)); // Q20
    const exponent = add(setup.drift.at(0, 0, 0), shr(mul(setup.deviation.at(0, 0, 0), z), 20));
    const price = shr(powerOfTwo(exponent), 6);
    return clamp(sub(price, setup.strike.at(0, 0, 0)), 0, 2 ** 31 - 1);
  });
  const part = p.sum({ name: "part", type: "i64", axis: PATHS_PER_BLOCK }, { body: ({ t, k }) => payoff.at(t, 0, k) });
  const partOfSquares = p.sum(
    { name: "part of squares", type: "i64", axis: PATHS_PER_BLOCK },
    {
      body: ({ t, k }) => {
        const value = payoff.at(t, 0, k);
        return mulshr(value, value, 20); // Q28
      },
    },
  );
  const totalOf = (parts: FoldHandle) =>
    p.sum({ name: "total", type: "i64", steps: 1, axis: size.steps() }, { body: ({ k }) => parts.at(k, 0, 0) });
  const total = totalOf(part);
  const totalOfSquares = totalOf(partOfSquares);

  // i64[1, 2]: price and standard error
  const result = p.fold({ name: "result", type: "i64", steps: 1, cols: 2 }, ({ c, T }) => {
    const paths = mul(T, PATHS_PER_BLOCK);
    const mean = udiv(total.at(0, 0, 0), paths); // Q24
    const variance = max(0, sub(udiv(totalOfSquares.at(0, 0, 0), paths), mulshr(mean, mean, 20))); // Q28
    const error = isqrt(udiv(shl(variance, 20), paths)); // Q24
    const discounted = mulshr(select(eq(c, 0), mean, error), setup.discount.at(0, 0, 0), 24); // Q30
    return mulshr(discounted, 1_000_000, 30);
  });
  p.fold({ name: "ok", type: "i8", steps: 1, cols: 2 }, ({ c, T }) => {
    const blocks = clamp(parameters.at(0, OPTION.blocks.column), 1, maxT);
    return and(eq(claimed.at(0, c), result.at(0, 0, c)), eq(T, blocks));
  });
  return { program: p.build(), result };
}

// Units of the setup: rates, volatilities and times come as millionths. log2(e) = 1.442695040888963407359924681...
/** volatility * sqrt(maturity) = 1. */
const LARGEST_VARIANCE = 10n ** 18n / 2n ** 20n;
const LOG2_E = 1_442_695_040_888_963_407n; // 10^-18
/** 10^-12 to Q32 and base 2, Q60. */
const GROWTH_FACTOR = (2n ** 92n * LOG2_E) / 10n ** 30n;
/** Half of 2^20 / 10^18 to Q32 and base 2, Q60. */
const VARIANCE_FACTOR = (2n ** 111n * LOG2_E) / 10n ** 36n;
/** 2^20 / 10^18 to Q60 and base 2 squared, Q20: the square root is Q30. */
const DEVIATION_FACTOR = (2n ** 100n * LOG2_E * LOG2_E) / 10n ** 54n;
/** 10^-6 to Q24, Q40. */
const STRIKE_FACTOR = 2n ** 64n / 10n ** 6n;
