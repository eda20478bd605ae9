import { accountOfApiKey, bodyHashOf, type Receipt } from "@foldmark/protocol";
import { type Finding, fails, holds, unchecked } from "../finding.ts";

/** What only the caller knows, and what the order of providers hangs on: its body, byte for byte, and its account. */
export function checkCaller(
  { bodyHash, routing }: Receipt,
  { body, apiKey }: { body: Uint8Array | string | undefined; apiKey: string | undefined },
): Finding {
  if (body !== undefined) {
    const own = bodyHashOf(typeof body === "string" ? new TextEncoder().encode(body) : body);
    if (own !== bodyHash) return fails("caller", `its bodyHash is ${bodyHash}, that of the body is ${own}`);
  }
  if (apiKey !== undefined && accountOfApiKey(apiKey) !== routing.account)
    return fails("caller", `its account is ${routing.account}, which is not that of the API key`);
  const missing = [
    ...(body === undefined ? ["the body as it was sent, byte for byte"] : []),
    ...(apiKey === undefined ? ["the API key"] : []),
  ];
  return missing.length === 0
    ? holds("caller", "body and account are the caller's")
    : unchecked("caller", `give ${missing.join(" and ")} to see that the gateway chose no part of the routing key`);
}
