import { createRequire } from "node:module";
import path from "node:path";
import express, { Router } from "express";
import { openApiDocument } from "../openapi.ts";

const assets = path.dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

// a file of its own, since helmet's policy allows no inline script
const INITIALIZER = `window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",
    validatorUrl: null,
  });
};
`;

/** `GET /openapi.json`, and the page that shows it, served from this process alone. */
export function docsRoute(): Router {
  const router = Router();
  const document = openApiDocument();
  router.get("/openapi.json", (_request, response) => {
    response.json(document);
  });
  router.get("/docs/swagger-initializer.js", (_request, response) => {
    response.type("text/javascript").send(INITIALIZER);
  });
  router.use("/docs", express.static(assets, { index: "index.html", maxAge: "1h" }));
  return router;
}
