import { formatUnits as viemFormatUnits, parseUnits as viemParseUnits } from "viem";
import { z } from "zod";
import { FoldmarkError } from "./errors.ts";

declare const brand: unique symbol;
/** An amount in base units of the settlement token (1 TUSD = 1_000_000n). Never negative, below 2^128, never a `number`. */
export type BaseUnits = bigint & { readonly [brand]: "BaseUnits" };

/** The largest amount that fits the `uint128` fields of the signed types. */
export const MAX_BASE_UNITS = (1n << 128n) - 1n;

/** Prices are quoted for this many tokens, or units of work. */
export const PRICE_DENOMINATOR = 1_000_000n;

/**
 * The one constructor of amounts.
 * @throws `money.out_of_range` below 0 or above 2^128 - 1
 */
export function baseUnits(value: bigint): BaseUnits {
  if (value < 0n || value > MAX_BASE_UNITS)
    throw new FoldmarkError("money.out_of_range", `An amount must lie in 0..2^128 - 1, got ${value}.`, {
      details: { value: value.toString() },
    });
  return value as BaseUnits;
}

export const ZERO = baseUnits(0n);

/** floor(a * b / divisor). @throws `money.out_of_range` */
export function mulDivDown(a: bigint, b: bigint, divisor: bigint): BaseUnits {
  return baseUnits(quotient(a, b, divisor));
}

/** ceil(a * b / divisor). @throws `money.out_of_range` */
export function mulDivUp(a: bigint, b: bigint, divisor: bigint): BaseUnits {
  const floor = quotient(a, b, divisor);
  return baseUnits(floor * divisor === a * b ? floor : floor + 1n);
}

export type AnswerUsage = { promptTokens: number; answerTokens: number };
/** Base units for 10^6 tokens of prompt and of answer. */
export type TokenPrices = { priceIn: BaseUnits; priceOut: BaseUnits };

/** What one answer costs: ceil((promptTokens * priceIn + answerTokens * priceOut) / 10^6), rounded once for both. */
export function priceOfAnswer({ promptTokens, answerTokens, priceIn, priceOut }: AnswerUsage & TokenPrices): BaseUnits {
  return mulDivUp(count(promptTokens) * priceIn + count(answerTokens) * priceOut, 1n, PRICE_DENOMINATOR);
}

/** What one simulation costs: ceil(units * priceUnit / 10^6); a unit is one step. */
export function priceOfWork({ units, priceUnit }: { units: number; priceUnit: BaseUnits }): BaseUnits {
  return mulDivUp(count(units), priceUnit, PRICE_DENOMINATOR);
}

/** Amounts as they stand in JSON: canonical decimal strings ("0", "1200"; no sign, no leading zero). */
export const decimalString = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,38})$/, 'must be a decimal string of base units, such as "1200"');

/** zod codec: decimal string in JSON <-> `BaseUnits` inside. */
export const baseUnitsCodec = z.codec(
  decimalString,
  z.custom<BaseUnits>((v) => typeof v === "bigint"),
  {
    decode: (text, context) => {
      const value = BigInt(text);
      if (value <= MAX_BASE_UNITS) return baseUnits(value);
      context.issues.push({ code: "custom", message: "must be below 2^128", input: text });
      return z.NEVER;
    },
    encode: (value) => value.toString(),
  },
);

/** The decimal string of an amount, for JSON. */
export function toDecimalString(amount: BaseUnits): string {
  return amount.toString();
}

/** @throws `money.out_of_range` when the text is no canonical decimal string below 2^128 */
export function fromDecimalString(text: string): BaseUnits {
  if (!decimalString.safeParse(text).success)
    throw new FoldmarkError("money.out_of_range", `"${text}" is no decimal string of base units.`, {
      details: { text },
    });
  return baseUnits(BigInt(text));
}

/** For people only: 1_234_567n with 6 decimals is "1.234567". */
export function formatAmount(amount: bigint, { decimals = 6 }: { decimals?: number } = {}): string {
  return viemFormatUnits(amount, decimals);
}

/**
 * From what a person wrote ("0.10" TUSD) to base units.
 * @throws `money.out_of_range` for anything but a plain decimal number with at most `decimals` places
 */
export function parseAmount(text: string, { decimals = 6 }: { decimals?: number } = {}): BaseUnits {
  if (!new RegExp(`^[0-9]+(\\.[0-9]{1,${decimals}})?$`).test(text))
    throw new FoldmarkError("money.out_of_range", `"${text}" is no amount with at most ${decimals} decimal places.`, {
      details: { text },
    });
  return baseUnits(viemParseUnits(text, decimals));
}

function quotient(a: bigint, b: bigint, divisor: bigint): bigint {
  if (a < 0n || b < 0n || divisor <= 0n)
    throw new FoldmarkError("money.out_of_range", `Cannot take ${a} * ${b} / ${divisor}.`, {
      details: { a: a.toString(), b: b.toString(), divisor: divisor.toString() },
    });
  return (a * b) / divisor;
}

function count(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new FoldmarkError("money.out_of_range", `A count must be a whole number of at least 0, got ${value}.`, {
      details: { value },
    });
  return BigInt(value);
}
