import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { loadConfig, variableName } from "../src/index.ts";

const schema = z.strictObject({
  network: z
    .strictObject({
      rpc: z.array(z.url()).default(["http://127.0.0.1:8545"]),
      confirmations: z.int().min(1).optional(),
    })
    .prefault({}),
  serve: z.strictObject({ listen: z.string().default("127.0.0.1:0"), drainMs: z.int().default(60_000) }).prefault({}),
  payee: z.string().optional(),
  isQuiet: z.boolean().default(false),
});
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldmark-config-"));
});
afterEach(() => rm(folder, { recursive: true }));
async function aFile(text: string) {
  const path = join(folder, "foldmark.yaml");
  await writeFile(path, text);
  return { path, isRequired: true };
}
const environment = (variables: Record<string, string>) => ({
  variables: { PATH: "/bin", ...variables },
  prefix: "FOLDMARK_",
});

describe("loadConfig", () => {
  it("lets flags win over the environment, that over the file, and the file over defaults", async () => {
    const config = await loadConfig(schema, {
      file: await aFile("serve: { listen: file:1, drainMs: 1 }\npayee: file\nnetwork: { confirmations: 3 }"),
      environment: environment({ FOLDMARK_SERVE_LISTEN: "env:2", FOLDMARK_PAYEE: "0123", FOLDMARK_IS_QUIET: "true" }),
      flags: { "serve.listen": "flag:3", "network.confirmations": undefined },
    });
    expect(config).toEqual({
      network: { rpc: ["http://127.0.0.1:8545"], confirmations: 3 },
      serve: { listen: "flag:3", drainMs: 1 },
      payee: "0123",
      isQuiet: true,
    });
  });
  it("reads numbers and lists of the environment", async () => {
    const config = await loadConfig(schema, {
      environment: environment({
        FOLDMARK_SERVE_DRAIN_MS: "5",
        FOLDMARK_NETWORK_RPC: "[http://a.example, http://b.example]",
      }),
    });
    expect(config.serve.drainMs).toBe(5);
    expect(config.network.rpc).toEqual(["http://a.example", "http://b.example"]);
  });
  it.each([
    { behaviour: "an unknown key in the file", file: "serve: { port: 1 }", names: "port" },
    { behaviour: "a wrong type in the file", file: "serve: { drainMs: soon }", names: "serve.drainMs" },
    { behaviour: "a scalar for a group", file: "serve: 3", names: "serve" },
  ])("refuses $behaviour by name", async ({ file, names }) => {
    await expect(loadConfig(schema, { file: await aFile(file) })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining(names),
    });
  });
  it("refuses an unknown variable of its own prefix by name, unless told to ignore it", async () => {
    const variables = environment({ FOLDMARK_SERVE_PORT: "1" });
    await expect(loadConfig(schema, { environment: variables })).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining("FOLDMARK_SERVE_PORT"),
    });
    await expect(
      loadConfig(schema, { environment: { ...variables, ignore: ["FOLDMARK_SERVE_PORT"] } }),
    ).resolves.toBeDefined();
  });
  it("refuses a number that is none", async () => {
    await expect(
      loadConfig(schema, { environment: environment({ FOLDMARK_SERVE_DRAIN_MS: "[soon" }) }),
    ).rejects.toMatchObject({ code: "config.invalid" });
  });
  it.each([
    { behaviour: "is broken YAML", text: "serve: [", code: "config.unreadable" },
    { behaviour: "is a list", text: "- 1", code: "config.invalid" },
    { behaviour: "is a number", text: "1", code: "config.invalid" },
    { behaviour: "has a number for a section", text: "serve: 1", code: "config.invalid" },
  ])("refuses a file that $behaviour, also under a flag", async ({ text, code }) => {
    const flags = { "serve.port": 1 };
    await expect(loadConfig(schema, { file: await aFile(text), flags })).rejects.toMatchObject({ code });
  });
  it.each(["null", "serve:", "serve: { drainMs: null }"])("takes %s as not set", async (text) => {
    expect(await loadConfig(schema, { file: await aFile(text) })).toEqual(await loadConfig(schema, {}));
  });
  it("misses only a file that was asked for", async () => {
    const path = join(folder, "absent.yaml");
    await expect(loadConfig(schema, { file: { path, isRequired: true } })).rejects.toMatchObject({
      code: "config.unreadable",
      message: expect.stringContaining(path),
    });
    await expect(loadConfig(schema, { file: { path, isRequired: false } })).resolves.toMatchObject({ isQuiet: false });
  });
  it("takes an empty file", async () => {
    await expect(loadConfig(schema, { file: await aFile("# nothing yet\n") })).resolves.toMatchObject({
      isQuiet: false,
    });
  });
});

it("variableName spells out words", () => {
  expect(variableName("FOLDMARK_", ["serve", "drainMs"])).toBe("FOLDMARK_SERVE_DRAIN_MS");
});
