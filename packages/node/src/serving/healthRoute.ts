import { Router } from "express";

export type Health = "ok" | "starting" | "draining";

/** `GET /health`: 200 while requests are taken, else 503 with the reason. */
export function healthRoute(health: () => Health): Router {
  return Router().get("/health", (_request, response) => {
    const status = health();
    response.status(status === "ok" ? 200 : 503).json({ status });
  });
}
