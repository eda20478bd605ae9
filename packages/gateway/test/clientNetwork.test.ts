import { expect, it } from "vitest";
import { clientNetwork } from "../src/middleware/clientNetwork.ts";

it.each([
  { what: "an IPv4 address", ip: "203.0.113.7", network: "203.0.113.7" },
  { what: "a mapped one", ip: "::ffff:203.0.113.7", network: "203.0.113.7" },
  { what: "an IPv6 network", ip: "2001:db8:1:2:3:4:5:6", network: "2001:db8:1:2" },
  { what: "nothing", ip: undefined, network: "unknown" },
])("counts $what as one client", ({ ip, network }) => {
  expect(clientNetwork(ip)).toBe(network);
});
