import { type BaseUnits, baseUnits, FoldmarkError, formatAmount } from "@foldmark/protocol";
import type { OfferTerms } from "../chain/provider.ts";
import { DEFAULT_CAPACITY } from "../config.ts";
import { amountOf } from "./amount.ts";

/** What was typed for a price, or is in the settings; `undefined` where nothing was. */
export type SaidPrices = Record<keyof typeof PRICES, string | boolean | string[] | undefined>;
/** The flags that say a price, by command. */
export type PriceFlags = Record<keyof typeof PRICES, string>;

const PRICES = { in: "priceIn", out: "priceOut", unit: "priceUnit" } as const;

/** Prices that a model of a kind is never paid by. */
const UNUSED = { chat: ["unit"], simulation: ["in", "out"] } as const satisfies Record<string, (keyof typeof PRICES)[]>;

export type OfferTermsOptions = {
  model: string;
  /** `undefined` for a model that is not installed: then nothing is known to be unused. */
  kind: keyof typeof UNUSED | undefined;
  flags: PriceFlags;
  /** The offer on the chain, whose prices stay where nothing was said. */
  published: OfferTerms | undefined;
  capacity: number | undefined;
};

/**
 * An offer from what was said and what is published already. Nothing is free by omission.
 * @throws `cli.usage` for a price that is no amount, or that nobody ever said
 */
export function offerTerms(said: SaidPrices, options: OfferTermsOptions): OfferTerms {
  const { model, kind, flags, published, capacity } = options;
  const unused: readonly string[] = kind ? UNUSED[kind] : [];
  const missing: string[] = [];
  const price = (name: keyof typeof PRICES): BaseUnits => {
    if (said[name] !== undefined) return amountOf(said[name], { name: flags[name] });
    if (!published && !unused.includes(name)) missing.push(flags[name]);
    return published?.[PRICES[name]] ?? baseUnits(0n);
  };
  const terms = { priceIn: price("in"), priceOut: price("out"), priceUnit: price("unit") };
  if (missing.length > 0)
    throw new FoldmarkError("cli.usage", `Say what you ask for ${model}: ${missing.join(", ")}.`, {
      details: { model, missing },
      hint: 'An amount for 10^6, such as "0.40"; 0 is free if you say so.',
    });
  return { ...terms, capacity: capacity ?? published?.capacity ?? DEFAULT_CAPACITY };
}

/** For people: what an offer asks. */
export const priceText = ({ priceIn, priceOut, priceUnit }: Omit<OfferTerms, "capacity">): string =>
  `${formatAmount(priceIn)} in, ${formatAmount(priceOut)} out, ${formatAmount(priceUnit)} a step, for 10^6`;
