import express, { Router } from "express";
import type { ServedModel } from "../engine/answerEngine.ts";

/** `GET /v1/packages/{packageHash}/{file}`: the packages that are served, with ranges. Whoever fetches checks the hashes. */
export function packagesRoute(models: Iterable<Pick<ServedModel, "packageHash" | "folder">>): Router {
  const router = Router();
  for (const { packageHash, folder } of models)
    router.use(
      `/v1/packages/${packageHash}`,
      express.static(folder, { index: false, redirect: false, dotfiles: "deny", immutable: true, maxAge: "365d" }),
    );
  return router;
}
