import { once } from "node:events";
import { request as ask, createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What stands in front of a node and passes everything on to it but questions about the tree of a disputed answer. */
export type Front = {
  url: string;
  /** Where to pass on to; until it is said nothing is there. */
  open(target: string): void;
  close(): void;
};

/** Listens on a free loopback port. Whoever wants to see something of the tree has to ask the court. */
export async function hideTree(): Promise<Front> {
  let target: string | undefined;
  const server = createServer((request, response) => {
    const { method, headers, url = "/" } = request;
    if (target === undefined || url.startsWith("/v1/disputes")) {
      response.writeHead(404).end();
      return;
    }
    const passedOn = ask(new URL(url, target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passedOn.on("error", () => response.destroy());
    response.on("close", () => passedOn.destroy());
    request.pipe(passedOn);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: (node) => {
      target = node;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
