import { arithmetic } from "@foldmark/machine";
import { PARAMETER } from "./parameters.ts";
import type { LlamaRequest } from "./request.ts";
import { gumbelTable } from "./tables.ts";

/**
 * What the fold `sample` maximises, for one token: the logit itself where decoding is greedy, else logit / temperature
 * plus noise, or the lowest score where min-p rules the token out. Q16 nat.
 * @param at - `step` predicts position step + 1; `logit` and the `best` of all logits are Q16
 */
export function sampleScore(
  at: { step: number; token: number; logit: number; best: number },
  request: Pick<LlamaRequest, "seed" | "inverseTemperature" | "gap">,
): bigint {
  const logit = BigInt(at.logit);
  const inverseTemperature = within(request.inverseTemperature, PARAMETER.maxInverseTemperature);
  if (logit < BigInt(at.best) - within(request.gap, PARAMETER.maxGap)) return -(2n ** 62n);
  if (inverseTemperature === 0n) return logit;
  return arithmetic.shr(logit * inverseTemperature, 16n) + gumbel(at.step, at.token, request.seed);
}

const within = (value: bigint, most: number): bigint => (value < 0n ? 0n : value > BigInt(most) ? BigInt(most) : value);

let table: Int32Array | undefined;

function gumbel(step: number, token: number, seed: bigint): bigint {
  table ??= gumbelTable();
  const words = BigInt.asUintN(64, arithmetic.philox(BigInt(step), BigInt(token >> 1), BigInt.asIntN(64, seed)));
  const word = token % 2 === 1 ? words >> 32n : words & 0xffff_ffffn;
  const isLower = word < 2n ** 31n;
  const distance = 2n * (isLower ? word : 0xffff_ffffn - word) + 1n;
  const bits = BigInt(distance.toString(2).length);
  const mantissa = distance << (33n - bits);
  const rest = mantissa % 2n ** 26n;
  const entry = Number(64n * (bits - 1n) + (mantissa >> 26n) - 64n) + (isLower ? 2_049 : 0);
  const here = BigInt(table[entry] as number);
  return here + arithmetic.shr((BigInt(table[entry + 1] as number) - here) * rest, 26n);
}
