import { randomBytes, timingSafeEqual } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { errorRow, FoldmarkError, openAiError } from "@foldmark/protocol";
import { drain, listen } from "@foldmark/service";
import express, { type ErrorRequestHandler } from "express";
import { z } from "zod";
import { createKey, listKeys, revokeKey } from "../commands/keys.ts";
import type { Database } from "../store/open.ts";

/** Where a running gateway takes commands: a file that its owner alone can read says the address and a token. */
export const CONTROL_FILE = "control.json";

const createSchema = z.strictObject({ name: z.string().min(1).max(200), budget: z.string() });

/**
 * Takes the `keys` commands while the embedded database is in use by this process: on loopback, from whoever can read
 * the file in the data folder.
 */
export async function openControl(
  folder: string,
  { db, now }: { db: Database; now: () => number },
): Promise<AsyncDisposable> {
  const token = randomBytes(32).toString("base64url");
  const expected = Buffer.from(`Bearer ${token}`);
  const app = express().disable("x-powered-by");
  app.use((request, _response, next) => {
    const given = Buffer.from(request.headers.authorization ?? "");
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new FoldmarkError("auth.not_allowed", "The control token is wrong.");
    next();
  });
  app.use(express.json());
  app.get("/keys", async (_request, response) => void response.json(await listKeys(db)));
  app.post("/keys", async (request, response) => {
    response.json(await createKey(db, createSchema.parse(request.body), now()));
  });
  app.post("/keys/:id/revoke", async (request, response) => {
    response.json(await revokeKey(db, request.params.id, now()));
  });
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(errorRow(error).status).json(openAiError(error));
  };
  app.use(onError);
  const server = createServer(app);
  const { url } = await listen(server, { host: "127.0.0.1", port: 0 });
  const file = path.join(folder, CONTROL_FILE);
  await rm(file, { force: true });
  await writeFile(file, JSON.stringify({ url, token }), { mode: 0o600 });
  return {
    async [Symbol.asyncDispose]() {
      await rm(file, { force: true });
      await drain(server, { deadlineMs: 1_000 });
    },
  };
}
