import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FoldmarkError } from "@foldmark/protocol";

export type ListenAddress = { host: string; port: number };

/**
 * Listens, with port 0 for any free one.
 * @returns where it really listens, and a URL at which this machine reaches it
 * @throws `listen.address_in_use`, or `listen.failed` for a host or port that cannot be had
 */
export async function listen(server: Server, { host, port }: ListenAddress): Promise<ListenAddress & { url: string }> {
  const listening = once(server, "listening");
  server.listen(port, host);
  try {
    await listening;
  } catch (cause) {
    throw refused(cause, { host, port });
  }
  const bound = server.address() as AddressInfo;
  return { host, port: bound.port, url: `http://${reachable(bound)}:${bound.port}` };
}

/** Splits "127.0.0.1:8420" or "[::1]:8420". @throws `config.invalid` */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535)
    throw new FoldmarkError("config.invalid", `"${text}" is no address to listen on.`, {
      details: { got: text },
      hint: "Write host:port, such as 127.0.0.1:8420; port 0 takes a free one.",
    });
  return { host, port };
}

function reachable({ address, family }: AddressInfo): string {
  if (address === "0.0.0.0" || address === "::") return "127.0.0.1";
  return family === "IPv6" ? `[${address}]` : address;
}

function refused(cause: unknown, { host, port }: ListenAddress): FoldmarkError {
  const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  if (reason === "EADDRINUSE")
    return new FoldmarkError("listen.address_in_use", `Port ${port} on ${host} is taken by another process.`, {
      details: { host, port },
      hint: "Stop that process, or choose another port (0 takes a free one).",
      cause,
    });
  return new FoldmarkError("listen.failed", `Cannot listen on ${host}:${port} (${reason}).`, {
    details: { host, port, reason },
    hint: "Choose an address of this machine and a port that this user may open.",
    cause,
  });
}
