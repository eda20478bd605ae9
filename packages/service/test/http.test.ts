import { once } from "node:events";
import { createServer, type RequestListener, request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { drain, listen, openEventStream, parseListenAddress } from "../src/index.ts";

const servers: ReturnType<typeof createServer>[] = [];
async function serve(handler: RequestListener) {
  const server = createServer(handler);
  servers.push(server);
  return { server, ...(await listen(server, { host: "127.0.0.1", port: 0 })) };
}
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

describe("listen", () => {
  it("takes a free port for 0 and says where it can be reached", async () => {
    const { url, port } = await serve((_, response) => response.end("here"));
    expect(port).toBeGreaterThan(0);
    expect(await (await fetch(url)).text()).toBe("here");
  });
  it("says that a port is taken", async () => {
    const { port } = await serve(() => undefined);
    await expect(listen(createServer(), { host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "listen.address_in_use",
      message: expect.stringContaining(String(port)),
    });
  });
  it("says that an address is not this machine's", async () => {
    await expect(listen(createServer(), { host: "192.0.2.1", port: 0 })).rejects.toMatchObject({
      code: "listen.failed",
    });
  });
});

describe("parseListenAddress", () => {
  it.each([
    ["127.0.0.1:8420", { host: "127.0.0.1", port: 8420 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["[::1]:80", { host: "::1", port: 80 }],
  ])("reads %s", (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });
  it.each(["8420", "host", "host:", "host:65536", "::1:80", "http://host:80", "a:1:2"])("refuses %j", (text) => {
    expect(() => parseListenAddress(text)).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});

describe("drain", () => {
  it("finishes a stream on a keep-alive connection, then closes at once", async () => {
    const asked = Promise.withResolvers<() => void>();
    const { server, url } = await serve((_, response) => {
      response.write("first ");
      asked.resolve(() => response.end("last"));
    });
    const answer = fetch(url).then((response) => response.text());
    const finish = await asked.promise;
    const draining = drain(server, { deadlineMs: 20_000 });
    finish();
    expect(await answer).toBe("first last");
    expect(await draining).toBe("drained");
    await expect(fetch(url)).rejects.toThrow();
  });
  it("cuts what is left at the deadline", async () => {
    const asked = Promise.withResolvers<void>();
    const { server, url } = await serve((_, response) => {
      response.write("never ends");
      asked.resolve();
    });
    const answer = fetch(url).then((response) => response.text());
    answer.catch(() => undefined);
    await asked.promise;
    expect(await drain(server, { deadlineMs: 60 })).toBe("forced");
    await expect(answer).rejects.toThrow();
  });
  it("has nothing to do for a server that does not listen", async () => {
    expect(await drain(createServer(), { deadlineMs: 1 })).toBe("drained");
  });
});

describe("openEventStream", () => {
  it("sends headers at once, events as JSON, text over several lines, comments and names", async () => {
    const go = Promise.withResolvers<void>();
    const { url } = await serve(async (_, response) => {
      const stream = openEventStream(response, { headers: { "x-request-id": "r1" } });
      await go.promise;
      await stream.send({ a: 1 });
      await stream.send("one\ntwo", { event: "pair", id: "7" });
      await stream.comment("waiting\nevent: forged");
      await stream.end();
    });
    const response = await fetch(url); // resolves by the headers alone
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(response.headers.get("x-request-id")).toBe("r1");
    go.resolve();
    expect(await response.text()).toBe(
      'data: {"a":1}\n\nevent: pair\nid: 7\ndata: one\ndata: two\n\n: waiting event: forged\n\n',
    );
  });

  it("waits for a slow reader, and stops waiting when it is gone", async () => {
    const big = "x".repeat(1 << 20);
    const sent = { count: 0 };
    const over = Promise.withResolvers<boolean>();
    const { url } = await serve(async (_, response) => {
      const stream = openEventStream(response);
      while (stream.isOpen && sent.count < 1000) {
        await stream.send(big);
        sent.count++;
      }
      over.resolve(stream.isOpen);
    });
    const client = request(url);
    client.end();
    const [response] = await once(client, "response");
    response.pause();
    await expect.poll(() => sent.count).toBeGreaterThan(0);
    const before = sent.count;
    client.destroy();
    expect(await over.promise).toBe(false);
    expect(sent.count).toBeLessThan(before + 100); // 1000 MB would have been written without waiting
  });
});
