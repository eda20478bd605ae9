import { FoldmarkError, isSameAddress, nodeInfoCodec } from "@foldmark/protocol";
import type { Address } from "viem";

const ASK_MS = 2_000;

/**
 * Two ledgers of one payee could sign twice under one ceiling. If another node of this payee answers at the registered
 * endpoint, this one does not start; the same ledger restarting knows its own id.
 * @throws `store.locked`
 */
export async function checkAlone(
  endpoint: string,
  { payee, instance }: { payee: Address; instance: string },
): Promise<void> {
  const other = await ask(endpoint);
  if (!other || !isSameAddress(other.payee, payee) || other.instance === instance) return;
  throw new FoldmarkError("store.locked", `Another node of ${payee} answers at ${endpoint}, with another ledger.`, {
    details: { endpoint, instance: other.instance, ours: instance },
    hint: "Stop it for good, or run this one for another payee: two ledgers can sign twice for one voucher.",
  });
}

/** What answers there, if it is a node at all. */
async function ask(endpoint: string) {
  try {
    const response = await fetch(new URL("/v1/node", endpoint), {
      signal: AbortSignal.timeout(ASK_MS),
      redirect: "error",
    });
    return nodeInfoCodec.safeParse(await response.json()).data;
  } catch {
    return undefined; // nobody is there, or no node: what this asks has its answer
  }
}
