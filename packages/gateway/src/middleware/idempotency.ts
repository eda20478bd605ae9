import { bodyHashOf, FoldmarkError } from "@foldmark/protocol";
import type { RequestHandler, Response } from "express";
import { claimKey, type IdempotencyId, releaseKey, type StoredResponse, storeResponse } from "../store/idempotency.ts";
import type { Database } from "../store/open.ts";
import type { Sealing } from "../store/sealing.ts";
import { callerOf, errorCodeOf } from "./context.ts";
import { rawBodyOf } from "./jsonBody.ts";

export type IdempotencyDeps = {
  db: Database;
  sealing: Sealing;
  instance: string;
  now: () => number;
  inBackground: (work: () => Promise<unknown>) => void;
};

/** Answers that are longer are sent, but not kept. */
const MAX_STORED_BYTES = 8 << 20;
const KEPT_HEADERS = /^(content-type|x-foldmark-.*)$/;

/**
 * Gives the stored answer to a request that comes again with the same `Idempotency-Key` and body. Only good answers are
 * kept: after an error, or when the caller leaves, the key is free for another try.
 * @throws `request.invalid`, `request.idempotency_conflict`
 */
export function idempotency({ db, sealing, instance, now, inBackground }: IdempotencyDeps): RequestHandler {
  return async (request, response, next) => {
    const idempotencyKey = request.get("idempotency-key");
    if (idempotencyKey === undefined) return next();
    if (!/^[\x21-\x7e]{1,255}$/.test(idempotencyKey))
      throw new FoldmarkError("request.invalid", "The idempotency key must be 1 to 255 visible ASCII characters.", {
        details: { param: "idempotency-key" },
      });
    const id = { keyId: callerOf(response).keyId, idempotencyKey };
    const bodyHash = bodyHashOf(rawBodyOf(request));
    const claim = await claimKey(db, id, { bodyHash, gateway: instance, sealing, nowMs: now() });
    switch (claim.status) {
      case "new":
        keep(response, (kept) => inBackground(() => finish(id, kept)));
        return next();
      case "answered":
        response.set({ ...claim.response.headers, "x-idempotent-replay": "true" });
        response.status(claim.response.status).send(Buffer.from(claim.response.body));
        return;
      default:
        throw conflict(claim.status);
    }
  };

  async function finish(id: IdempotencyId, response: StoredResponse | undefined): Promise<void> {
    if (response) await storeResponse(db, id, { response, sealing });
    else await releaseKey(db, id);
  }
}

/** Listens to what is sent, and says at the end what is worth keeping. */
function keep(response: Response, onEnd: (kept: StoredResponse | undefined) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const take = (chunk: unknown): void => {
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) return;
    const piece = Buffer.from(chunk as string);
    bytes += piece.length;
    if (bytes <= MAX_STORED_BYTES) chunks.push(piece);
  };
  const { write, end } = response;
  response.write = ((chunk: unknown, ...rest: unknown[]) => {
    take(chunk);
    return Reflect.apply(write, response, [chunk, ...rest]);
  }) as typeof write;
  response.end = ((chunk: unknown, ...rest: unknown[]) => {
    take(chunk);
    return Reflect.apply(end, response, [chunk, ...rest]);
  }) as typeof end;
  response.once("close", () => {
    const isGood = response.writableFinished && response.statusCode === 200 && errorCodeOf(response) === undefined;
    const isKept = isGood && bytes <= MAX_STORED_BYTES;
    const headers = Object.fromEntries(
      Object.entries(response.getHeaders()).flatMap(([name, value]) =>
        KEPT_HEADERS.test(name) ? [[name, String(value)]] : [],
      ),
    );
    onEnd(isKept ? { status: 200, headers, body: Buffer.concat(chunks).toString("utf8") } : undefined);
  });
}

function conflict(status: "running" | "conflict"): FoldmarkError {
  return status === "running"
    ? new FoldmarkError(
        "request.idempotency_conflict",
        "The first request with this idempotency key is still running.",
        {
          hint: "Try again in a moment.",
        },
      )
    : new FoldmarkError("request.idempotency_conflict", "This idempotency key was used for another body.");
}
