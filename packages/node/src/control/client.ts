import { once } from "node:events";
import { type IncomingMessage, request as send } from "node:http";
import { text } from "node:stream/consumers";
import { ERRORS, type ErrorCode, FoldmarkError } from "@foldmark/protocol";
import { z } from "zod";
import { socketPath } from "./server.ts";

const replySchema = z.union([
  z.object({ data: z.unknown() }),
  z.object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      hint: z.string().optional(),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  }),
]);

/**
 * Asks the running node of a folder to do something.
 * @throws `node.not_running`, and whatever the action failed with
 */
export async function askNode(socket: string, action: string): Promise<unknown> {
  const request = send({ socketPath: socketPath(socket), path: `/${action}`, method: "POST" });
  request.end();
  const response = await once(request, "response").then(
    ([first]) => first as IncomingMessage,
    (cause) => {
      throw new FoldmarkError("node.not_running", "The node of this folder is not running.", {
        details: { socket },
        hint: "Start it with `foldmark start`.",
        cause,
      });
    },
  );
  const reply = replySchema.parse(JSON.parse(await text(response)));
  if (!("error" in reply)) return reply.data;
  const { code, message, hint, details } = reply.error;
  const known: ErrorCode = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "internal.bug";
  throw new FoldmarkError(known, message, { ...(hint ? { hint } : {}), ...(details ? { details } : {}) });
}
