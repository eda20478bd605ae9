import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, unlinkSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { codeOf, FoldmarkError } from "@foldmark/protocol";

/** What a running node does for its own commands, each by name. Only whoever can open the socket may ask. */
export type ControlActions = Record<string, () => Promise<unknown>>;

/** A Unix socket's path has about a hundred bytes; a longer one moves to the temporary folder under a name of its own. */
export function socketPath(wanted: string): string {
  if (Buffer.byteLength(wanted) <= 100) return wanted;
  return path.join(tmpdir(), `foldmark-${createHash("sha256").update(wanted).digest("hex").slice(0, 24)}.sock`);
}

/** Listens on the node's socket: `POST /NAME` runs an action and answers with its result. */
export async function serveControl(socket: string, actions: ControlActions): Promise<Server> {
  const file = socketPath(socket);
  // the ledger's lock says that no other node of this folder lives: what lies here is left over
  if (existsSync(file)) unlinkSync(file);
  const server = createServer((request, response) => {
    const name = request.url?.slice(1) ?? "";
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    const reply = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body, decimal));
    if (request.method !== "POST" || !action) {
      reply(404, { error: { code: "request.not_found", message: `The node has no action ${request.url}.` } });
      return;
    }
    action().then(
      (data) => reply(200, { data }),
      (error) => reply(500, { error: describeError(error) }),
    );
  });
  server.listen(file);
  await once(server, "listening");
  chmodSync(file, 0o600);
  return server;
}

const decimal = (_key: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);

function describeError(error: unknown) {
  if (!(error instanceof FoldmarkError)) return { code: codeOf(error), message: "The node had an internal error." };
  const { code, message, hint, details } = error;
  return { code, message, hint, details };
}
