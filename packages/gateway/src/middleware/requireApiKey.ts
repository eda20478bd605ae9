import { FoldmarkError } from "@foldmark/protocol";
import type { RequestHandler } from "express";
import { findCaller } from "../store/apiKeys.ts";
import type { Database } from "../store/open.ts";
import { setCaller } from "./context.ts";

/** Lets in who has a key: `Authorization: Bearer sk-...`. @throws `auth.missing_key`, `auth.invalid_key` */
export function requireApiKey({ db }: { db: Database }): RequestHandler {
  return async (request, response, next) => {
    const [, key] = /^Bearer (\S{1,512})$/i.exec(request.headers.authorization ?? "") ?? [];
    if (key === undefined)
      throw new FoldmarkError("auth.missing_key", "You didn't provide an API key.", {
        hint: "Send it as `Authorization: Bearer sk-...`.",
      });
    const caller = await findCaller(db, key);
    if (!caller) throw new FoldmarkError("auth.invalid_key", "The API key is not known here, or has been revoked.");
    setCaller(response, caller);
    next();
  };
}
