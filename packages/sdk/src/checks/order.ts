import { checkRouting, defaultCap, type PriceCap, priceOfReceipt, type Receipt } from "@foldmark/protocol";
import { type Finding, fails, holds, unchecked } from "../finding.ts";

/** The provider is the one that public arithmetic puts first among those that were not skipped. */
export function checkOrder(receipt: Receipt): Finding {
  const routing = checkRouting(receipt);
  const { candidates, skipped, rules } = receipt.routing;
  switch (routing.status) {
    case "ok":
      if (receipt.model.assurance !== rules.assurance)
        return fails("routing", `it promises ${receipt.model.assurance} answers and ranks ${rules.assurance} offers`);
      if (!isSameCap(rules.cap, defaultCap(candidates, rules)))
        return unchecked("routing", `the order is right if the caller named a cap of ${capOf(rules.cap)} itself`);
      return holds("routing", `rank ${routing.rank + 1} of ${candidates.length}, ${skipped.length} skipped before it`);
    case "passed_over":
      return fails("routing", `${routing.provider} comes before ${routing.chosen} and was passed over in silence`);
    case "ineligible":
      return fails("routing", `the provider was not eligible (${routing.reason})`);
    case "prices_differ":
      return fails("routing", "the prices are not those of the provider's offer");
    default:
      return fails("routing", "the provider is none of the candidates");
  }
}

const isSameCap = (a: PriceCap, b: PriceCap) => a.in === b.in && a.out === b.out && a.unit === b.unit;
const capOf = ({ in: prompt, out, unit }: PriceCap) => `${prompt} in, ${out} out, ${unit} a step`;

/** The price is that of the offer, once for this answer. */
export function checkPrice(receipt: Receipt): Finding {
  const price = priceOfReceipt(receipt);
  return price === receipt.price
    ? holds("price", `${price} base units`)
    : fails("price", `it charges ${receipt.price} base units, prices and usage make ${price}`);
}
