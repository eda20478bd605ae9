import { checkRouting, priceOfReceipt, type Receipt } from "@foldmark/protocol";
import { type Finding, fails, holds } from "../finding.ts";

/** The provider is the one that public arithmetic puts first among those that were not skipped. */
export function checkOrder(receipt: Receipt): Finding {
  const routing = checkRouting(receipt);
  const { candidates, skipped } = receipt.routing;
  switch (routing.status) {
    case "ok":
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

/** The price is that of the offer, once for this answer. */
export function checkPrice(receipt: Receipt): Finding {
  const price = priceOfReceipt(receipt);
  return price === receipt.price
    ? holds("price", `${price} base units`)
    : fails("price", `it charges ${receipt.price} base units, prices and usage make ${price}`);
}
