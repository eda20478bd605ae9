import { FoldmarkError } from "@foldmark/protocol";
import express, { type Request, type RequestHandler } from "express";

/** Bodies as they were received, for their hash, and as JSON. */
export function jsonBody({ limitBytes }: { limitBytes: number }): RequestHandler[] {
  const checkType: RequestHandler = (request, _response, next) => {
    const [type, ...parameters] = (request.headers["content-type"] ?? "").toLowerCase().split(";");
    const charset = parameters.map((text) => /^\s*charset\s*=\s*"?([^"\s]*)/.exec(text)?.[1]).find(Boolean);
    if (charset !== undefined && !/^(utf-?8|us-ascii)$/.test(charset))
      throw new FoldmarkError("request.content_type", "JSON must be sent as UTF-8.");
    if (type?.trim() !== "application/json")
      throw new FoldmarkError("request.content_type", "The body must be sent as application/json.");
    next();
  };
  // not inflated: the hash of a body is that of the bytes that came, and a small body cannot become a large one
  return [checkType, express.raw({ type: () => true, limit: limitBytes, inflate: false })];
}

export const rawBodyOf = (request: Request): Uint8Array =>
  Buffer.isBuffer(request.body) ? request.body : new Uint8Array(0);

/** @throws `request.invalid_json` */
export function jsonOf(request: Request): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(rawBodyOf(request)));
  } catch (cause) {
    throw new FoldmarkError("request.invalid_json", "We could not parse the JSON body of your request.", { cause });
  }
}
