import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openConnections } from "../src/providers/connections.ts";

let port: number;
const server = createServer((request, response) => void response.end(`${request.headers.host} ${request.url}`));
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(() => server.close());

describe("openConnections", () => {
  it("connects to the address that was checked, whatever the name says later", async () => {
    const answers = [[{ address: "127.0.0.1", family: 4 }], [{ address: "127.0.0.2", family: 4 }]];
    const connections = openConnections(
      { allowPrivateEndpoints: true, resolve: async () => answers.shift() ?? [] },
      { now: () => 0 },
    );
    const uri = `http://provider.example:${port}/base/`;
    for (let i = 0; i < 2; i++) {
      const { pool, basePath } = await connections.open(uri);
      const { body } = await pool.request({ method: "GET", path: `${basePath}/v1/node` });
      expect(await body.text()).toBe(`provider.example:${port} /base/v1/node`);
    }
    await connections.close();
  });

  it("checks a name again after a while", async () => {
    let time = 0;
    const answers = [[{ address: "127.0.0.1", family: 4 }], []];
    const connections = openConnections(
      { allowPrivateEndpoints: true, resolve: async () => answers.shift() ?? [], recheckMs: 1_000 },
      { now: () => time },
    );
    await connections.open("http://provider.example:1/");
    time = 2_000;
    await expect(connections.open("http://provider.example:1/")).rejects.toMatchObject({
      code: "provider.endpoint_refused",
    });
    await connections.close();
  });

  it("opens nothing on a private address", async () => {
    const connections = openConnections({ allowPrivateEndpoints: false }, { now: () => 0 });
    await expect(connections.open(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: "provider.endpoint_refused",
      details: { address: "127.0.0.1" },
    });
    await connections.close();
  });
});
