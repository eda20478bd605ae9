import { FoldmarkError } from "@foldmark/protocol";
import { Router } from "express";
import { openApiDocument } from "../openapi.ts";

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** Behind all routes: says which methods a path of the description takes. @throws `request.method_not_allowed` */
export function methodNotAllowed(): Router {
  const router = Router();
  for (const [path, operations] of Object.entries(openApiDocument().paths ?? {})) {
    const allowed = METHODS.filter((method) => Object.hasOwn(operations ?? {}, method)).map((name) =>
      name.toUpperCase(),
    );
    router.all(path.replaceAll(/\{(\w+)\}/g, ":$1"), (request, response) => {
      response.setHeader("allow", allowed.join(", "));
      throw new FoldmarkError("request.method_not_allowed", `${request.path} takes ${allowed.join(", ")}.`);
    });
  }
  return router;
}
