import type { EuropeanCall } from "./option.ts";

/** The Black-Scholes price of a European call, in units of the spot price. For comparison: floats, never part of an answer. */
export function blackScholes({ rate, volatility, maturity, strike }: EuropeanCall): number {
  const discounted = strike * Math.exp(-rate * maturity);
  const deviation = volatility * Math.sqrt(maturity);
  if (deviation === 0 || strike === 0) return Math.max(0, 1 - discounted);
  const d1 = (Math.log(1 / strike) + rate * maturity) / deviation + deviation / 2;
  return normalBelow(d1) - discounted * normalBelow(d1 - deviation);
}

/** The standard normal distribution function, to about 1e-15, by Marsaglia's series (2004, J. Stat. Soft. 11(4)). */
function normalBelow(x: number): number {
  if (x < -38) return 0;
  if (x > 38) return 1;
  if (x < -6) return 1 - normalBelow(-x);
  let sum = x;
  let term = x;
  for (let n = 3; sum !== sum + term; n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + sum * Math.exp(-0.5 * x * x - 0.5 * Math.log(2 * Math.PI));
}
