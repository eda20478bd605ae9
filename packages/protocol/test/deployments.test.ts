import { describe, expect, it } from "vitest";
import { deploymentFromIgnition, domainOf, parseDeployment } from "../src/index.ts";

const at = (n: number) => `0x${n.toString().padStart(40, "0")}`;
const addresses = {
  "Market#TestUSD": at(1),
  "Market#ModelRegistry": at(2),
  "Market#ProviderRegistry": at(3),
  "Market#PaymentChannels": at(4),
  "Market#Court": at(5),
  "Market#Referee": at(6),
};
const where = { chainId: 31337, fromBlock: 5 };

describe("deployments", () => {
  it("come from Ignition's addresses, whatever the module is called", () => {
    const deployment = deploymentFromIgnition(addresses, where);
    expect(deployment).toEqual({
      ...where,
      contracts: { token: at(1), models: at(2), providers: at(3), channels: at(4), court: at(5), referee: at(6) },
    });
    expect(parseDeployment(JSON.stringify(deployment))).toEqual(deployment);
    expect(domainOf(deployment)).toMatchObject({ chainId: 31337, verifyingContract: at(4) });
    const other = Object.fromEntries(
      Object.entries(addresses).map(([key, value]) => [key.replace("Market", "Demo"), value]),
    );
    expect(deploymentFromIgnition(other, where)).toEqual(deployment);
  });
  it.each([
    { contract: "PaymentChannels", field: "channels" },
    { contract: "Court", field: "court" },
    { contract: "Referee", field: "referee" },
  ])("name the $contract that is missing", ({ contract, field }) => {
    const rest = Object.fromEntries(Object.entries(addresses).filter(([key]) => key !== `Market#${contract}`));
    expect(() => deploymentFromIgnition(rest, where)).toThrow(field);
  });
  it.each(["{", "[]", '{"chainId":0}', JSON.stringify({ ...where, contracts: {}, extra: 1 })])("refuse %s", (text) => {
    expect(() => parseDeployment(text)).toThrow(expect.objectContaining({ code: "deployment.malformed" }));
  });
});
