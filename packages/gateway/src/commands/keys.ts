import { formatAmount, parseAmount } from "@foldmark/protocol";
import { createApiKey, listApiKeys, revokeApiKey } from "../store/apiKeys.ts";
import type { Database } from "../store/open.ts";

// What the `keys` commands do on an open store; each returns what is printed, one JSON object.

/** @param budget - in whole tokens, such as "2.50" */
export async function createKey(db: Database, { name, budget }: { name: string; budget: string }, nowMs: number) {
  const amount = parseAmount(budget);
  const { id, key } = await createApiKey(db, { name, budget: amount, nowMs });
  return { id, key, name, budget: amount.toString() };
}

export async function listKeys(db: Database) {
  const keys = await listApiKeys(db);
  return {
    keys: keys.map(({ id, name, budget, spent, reserved, createdAt, revoked }) => ({
      id,
      name,
      budget: formatAmount(budget),
      spent: formatAmount(spent),
      reserved: formatAmount(reserved),
      created: createdAt.toISOString(),
      revoked,
    })),
  };
}

export async function revokeKey(db: Database, id: string, nowMs: number) {
  return { id, revoked: await revokeApiKey(db, { id, nowMs }) };
}
