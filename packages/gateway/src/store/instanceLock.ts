import { createHash } from "node:crypto";
import { FoldmarkError } from "@foldmark/protocol";
import pg from "pg";
import type { Hex } from "viem";

/**
 * Takes a gateway's salt in a shared database, until it is disposed of or the process ends: two processes with one salt
 * would sign vouchers of the same channels, and each would release what the other has set aside.
 * @param onLost - the connection that holds the lock broke
 * @throws `store.locked` while another gateway has it
 */
export async function lockInstance(
  url: string,
  { salt, onLost }: { salt: Hex; onLost: (error: Error) => void },
): Promise<AsyncDisposable> {
  const client = new pg.Client({ connectionString: url, keepAlive: true });
  client.on("error", onLost);
  await client.connect();
  const key = createHash("sha256").update(`foldmark gateway ${salt}`).digest().readBigInt64BE();
  const { rows } = await client.query<{ held: boolean }>("select pg_try_advisory_lock($1::bigint) as held", [
    key.toString(),
  ]);
  if (!rows[0]?.held) {
    await client.end();
    throw new FoldmarkError("store.locked", "Another gateway with this salt uses the database.", {
      details: { salt },
      hint: "Give each replica a --salt of its own (32 bytes in hex), or stop the other one.",
    });
  }
  return { [Symbol.asyncDispose]: () => client.end() };
}
