import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../src/config.ts";
import { homeOf } from "../src/home.ts";
import { aFolder } from "./aFolder.ts";

function aHome(yaml: string) {
  const home = homeOf({ FOLDMARK_HOME: aFolder() });
  writeFileSync(home.config, yaml);
  return home;
}

describe("readConfig", () => {
  it("takes flags over the environment over the file over defaults", async () => {
    const home = aHome("serve: { queue: 1, drainMs: 1 }\nnetwork: { pollMs: 100 }\n");
    const variables = {
      FOLDMARK_SERVE_QUEUE: "2",
      FOLDMARK_NETWORK_POLL_MS: "200",
      FOLDMARK_HOME: home.folder,
      OTHER: "x",
    };
    const config = await readConfig(home, { variables, flags: { "serve.queue": 3, "serve.listen": undefined } });
    expect(config.serve).toMatchObject({ queue: 3, drainMs: 1, listen: "127.0.0.1:8420" });
    expect(config.network.pollMs).toBe(200);
  });

  it("minds no variable of a caller or of a gateway on the same machine", async () => {
    const variables = { FOLDMARK_API_KEY: "sk-x", FOLDMARK_GATEWAY_LISTEN: "127.0.0.1:1" };
    expect((await readConfig(aHome(""), { variables })).serve.listen).toBe("127.0.0.1:8420");
    await expect(readConfig(aHome(""), { variables: { FOLDMARK_GATEWAYS: "1" } })).rejects.toThrow("FOLDMARK_GATEWAYS");
  });

  it("reads paths relative to the home folder", async () => {
    const home = aHome("models: [packages/one, /elsewhere/two]\n");
    const config = await readConfig(home, { variables: {} });
    expect(config.models).toEqual([path.join(home.folder, "packages/one"), "/elsewhere/two"]);
    expect(config.signer.keystore).toBe(path.join(home.folder, "keys/operator.json"));
  });

  it.each([
    { yaml: "serve: { prot: 1 }", names: "prot" },
    { yaml: "serve: { listen: everywhere }", names: "serve.listen" },
    { yaml: "serve: { endpoint: 'ftp://here' }", names: "serve.endpoint" },
    { yaml: "payee: '0x12'", names: "payee" },
    { yaml: "offers: [{ model: a, in: '0.0000001' }]", names: "offers" },
    { yaml: "network: { rpc: [] }", names: "network.rpc" },
    { yaml: "engine: { threads: 0 }", names: "engine.threads" },
    { yaml: `engine: { threads: ${availableParallelism() + 1} }`, names: "engine.threads" },
  ])("refuses $yaml by name", async ({ yaml, names }) => {
    await expect(readConfig(aHome(yaml), { variables: {} })).rejects.toMatchObject({
      ...{ code: "config.invalid", message: expect.stringContaining(names) },
    });
  });
});
