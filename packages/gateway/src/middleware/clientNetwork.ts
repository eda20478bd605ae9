import ipaddr from "ipaddr.js";

const HOST_GROUPS = 4;

/** Whom an address limit counts against: an IPv4 address, or the /64 network that one IPv6 customer has to itself. */
export function clientNetwork(ip: string | undefined): string {
  if (ip === undefined || !ipaddr.isValid(ip)) return "unknown";
  const address = ipaddr.process(ip);
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  return address.parts
    .slice(0, HOST_GROUPS)
    .map((part) => part.toString(16))
    .join(":");
}
