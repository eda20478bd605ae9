import { Pool } from "undici";
import { checkEndpoint, type EndpointOptions } from "./endpoint.ts";

/** A pool of connections to one provider, pinned to the address that was checked, with the path in front of its routes. */
export type Connection = { pool: Pool; basePath: string };

/** Connections by endpoint; each is checked before its first use and again after `recheckMs`. */
export type Connections = {
  /** @throws `provider.endpoint_refused` */
  open(uri: string): Promise<Connection>;
  close(): Promise<void>;
};

export type ConnectionsOptions = EndpointOptions & {
  /** Open connections to one provider. */
  connectionsPerProvider?: number;
  connectTimeoutMs?: number;
  recheckMs?: number;
};

export function openConnections(options: ConnectionsOptions, { now }: { now: () => number }): Connections {
  const { connectionsPerProvider = 64, connectTimeoutMs = 5_000, recheckMs = 300_000 } = options;
  const open = new Map<string, { connection: Promise<Connection>; checkedAt: number }>();

  async function connect(uri: string): Promise<Connection> {
    const { url, address, family } = await checkEndpoint(uri, options);
    const pool = new Pool(url.origin, {
      connections: connectionsPerProvider,
      // every connection goes to the address that was checked, whatever the name says by now
      connect: {
        timeout: connectTimeoutMs,
        lookup: (_hostname, { all }, callback) =>
          all ? callback(null, [{ address, family }]) : callback(null, address, family),
      },
      maxHeaderSize: 32_768,
    });
    return { pool, basePath: url.pathname.replace(/\/+$/, "") };
  }

  return {
    async open(uri) {
      const known = open.get(uri);
      if (known && now() - known.checkedAt < recheckMs) return known.connection;
      const connection = connect(uri);
      open.set(uri, { connection, checkedAt: now() });
      // a failure is not remembered, and streams on an older pool may end in peace
      connection.catch(() => open.delete(uri));
      if (known) void known.connection.then(({ pool }) => pool.close()).catch(() => {});
      return connection;
    },
    async close() {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map(({ connection }) => connection.then(({ pool }) => pool.destroy()).catch(() => {})));
    },
  };
}
