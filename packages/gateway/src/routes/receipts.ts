import { Router } from "express";
import { callerOf } from "../middleware/context.ts";
import { findReceipt } from "../receipts/receiptStore.ts";
import type { Database } from "../store/open.ts";
import type { Sealing } from "../store/sealing.ts";

/** `GET /v1/receipts/{id}`: the whole receipt, for the account that paid for it. `id` may also be the completion's. */
export function receiptsRoute({ db, sealing }: { db: Database; sealing: Sealing }): Router {
  const router = Router();
  router.get("/v1/receipts/:id", async (request, response) => {
    const { keyId } = callerOf(response);
    response.setHeader("cache-control", "private, no-store");
    response.json(await findReceipt(db, { id: request.params.id, keyId, sealing }));
  });
  return router;
}
