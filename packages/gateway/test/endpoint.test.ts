import { describe, expect, it } from "vitest";
import { checkEndpoint, isPublicAddress } from "../src/providers/endpoint.ts";

const resolve =
  (...addresses: string[]) =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
const strict = { allowPrivateEndpoints: false };

describe("checkEndpoint", () => {
  it.each([
    "http://127.0.0.1:8420",
    "http://localhost:8420",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://224.0.0.1/",
    "ftp://8.8.8.8/",
    "file:///etc/passwd",
    "http://user:password@8.8.8.8/",
    "not a url",
    "",
  ])("refuses %s", async (uri) => {
    await expect(checkEndpoint(uri, { ...strict, resolve: resolve("127.0.0.1") })).rejects.toMatchObject({
      code: "provider.endpoint_refused",
    });
  });

  it("refuses a name with one private address among public ones", async () => {
    const uri = "https://provider.example/";
    await expect(checkEndpoint(uri, { ...strict, resolve: resolve("8.8.8.8", "10.0.0.1") })).rejects.toMatchObject({
      code: "provider.endpoint_refused",
      details: { address: "10.0.0.1" },
    });
  });

  it("refuses a name without an address", async () => {
    await expect(checkEndpoint("https://a.example/", { ...strict, resolve: resolve() })).rejects.toMatchObject({
      code: "provider.endpoint_refused",
    });
  });

  it("pins the address that it found", async () => {
    const endpoint = await checkEndpoint("https://provider.example/base/", { ...strict, resolve: resolve("8.8.8.8") });
    expect(endpoint).toMatchObject({ address: "8.8.8.8", family: 4 });
    expect(endpoint.url.pathname).toBe("/base/");
  });

  it("takes loopback on a local network", async () => {
    const endpoint = await checkEndpoint("http://127.0.0.1:1/", { allowPrivateEndpoints: true });
    expect(endpoint.address).toBe("127.0.0.1");
  });
});

describe("isPublicAddress", () => {
  it.each(["8.8.8.8", "1.1.1.1", "2606:4700::1111"])("takes %s", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
  it("refuses what is no address", () => {
    expect(isPublicAddress("provider.example")).toBe(false);
  });
});
