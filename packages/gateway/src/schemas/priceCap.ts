import { baseUnits, decimalString, FoldmarkError, MAX_BASE_UNITS, type PriceCap } from "@foldmark/protocol";

export const PRICE_CAP_HEADER = "x-foldmark-max-price";

const PRICES = ["in", "out", "unit"] as const;

/**
 * The most that a caller pays, in base units for 10^6 tokens (or steps): one number for every
 * price of the service, or `in=100, out=400`,
 * where a
 * price that is not named is not capped.
 * @throws `request.invalid`
 */
export function parsePriceCap(
  header: string | undefined,
  { kind }: { kind: "chat" | "simulation" },
): PriceCap | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const none = baseUnits(MAX_BASE_UNITS);
  const cap = { in: none, out: none, unit: none };
  if (decimalString.safeParse(text).success) {
    const price = amount(text);
    return kind === "chat" ? { ...cap, in: price, out: price } : { ...cap, unit: price };
  }
  for (const part of text.split(",")) {
    const [name, value, ...more] = part.split("=").map((word) => word.trim());
    const price = PRICES.find((known) => known === name);
    if (!price || value === undefined || more.length > 0) throw malformed(header);
    cap[price] = amount(value);
  }
  return cap;

  function amount(digits: string) {
    const value = decimalString.safeParse(digits).success ? BigInt(digits) : -1n;
    if (value < 0n || value > MAX_BASE_UNITS) throw malformed(header ?? "");
    return baseUnits(value);
  }
}

function malformed(header: string): FoldmarkError {
  return new FoldmarkError("request.invalid", `'${header.slice(0, 80)}' is no price cap.`, {
    details: { param: PRICE_CAP_HEADER },
    hint: "Write base units for 10^6 tokens or steps: `400000`, or `in=100000, out=400000`.",
  });
}
