import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { FoldmarkError } from "@foldmark/protocol";
import ipaddr from "ipaddr.js";

/** An endpoint that may be called: the origin with its path, and the one address that connections go to. */
export type Endpoint = { url: URL; address: string; family: 4 | 6 };

export type EndpointOptions = {
  /** For local networks: loopback and private addresses too. */
  allowPrivateEndpoints: boolean;
  resolve?: (hostname: string) => Promise<{ address: string; family: number }[]>;
};

/**
 * Resolves an endpoint that a stranger wrote on the chain, once, and pins what it found: the name is not asked again
 * when the connection is made, so that it cannot answer differently then.
 * @throws `provider.endpoint_refused` for what is no http(s) URL, carries credentials, or leads to an address that is
 * none or not a public one
 */
export async function checkEndpoint(uri: string, options: EndpointOptions): Promise<Endpoint> {
  const { allowPrivateEndpoints, resolve = (hostname) => lookup(hostname, { all: true }) } = options;
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || uri.length > 2048)
    throw new FoldmarkError("provider.endpoint_refused", "The endpoint is no http or https URL.", { details: { uri } });
  // `new URL` has already written 0x7f.1 or 2130706433 as 127.0.0.1; an IPv6 literal stands in brackets
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const found = isIP(hostname)
    ? [{ address: hostname, family: isIP(hostname) }]
    : await resolve(hostname).catch((cause: unknown) => {
        throw new FoldmarkError("provider.endpoint_refused", `No address was found for ${hostname}.`, {
          details: { uri },
          cause,
        });
      });
  const first = found[0];
  if (!first)
    throw new FoldmarkError("provider.endpoint_refused", `No address was found for ${hostname}.`, { details: { uri } });
  // one private address among public ones is enough to refuse: which one is used must not be a matter of luck
  for (const { address } of found)
    if (!allowPrivateEndpoints && !isPublicAddress(address))
      throw new FoldmarkError(
        "provider.endpoint_refused",
        `The endpoint leads to ${address}, which is not a public address.`,
        {
          details: { uri, address },
        },
      );
  return { url, address: first.address, family: first.family === 6 ? 6 : 4 };
}

const COMPATIBLE = ipaddr.parseCIDR("::/96"); // old IPv4-compatible addresses, which ipaddr.js calls unicast

/** Whether an IP address is one of the public internet: not private, shared, loopback, link-local, mapped or a tunnel. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const ip = ipaddr.process(address);
  if (ip.range() !== "unicast") return false;
  return ip.kind() === "ipv4" || !ip.match(COMPATIBLE);
}
