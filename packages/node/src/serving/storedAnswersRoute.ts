import assert from "node:assert/strict";
import {
  type BaseUnits,
  type ChannelId,
  channelIdOf,
  channelIdSchema,
  cutRequestSchema,
  cutResponseCodec,
  type Domain,
  decimalString,
  decodePaymentHeader,
  FoldmarkError,
  fromDecimalString,
  isSameAddress,
  recoverVoucherSigner,
  type StoredAnswer,
  storedAnswerCodec,
} from "@foldmark/protocol";
import { type Request, Router } from "express";
import type { Address } from "viem";
import { z } from "zod";
import type { Ledger } from "../store/ledger.ts";
import { paymentHeader } from "./paymentHeader.ts";
import type { Runs } from "./runs.ts";
import { storedEvent } from "./signAnswer.ts";

export type StoredAnswersDeps = { domain: Domain; payee: Address; ledger: Ledger; runs: Runs };

type CutResponse = z.output<typeof cutResponseCodec>;

const pathSchema = z.object({ channelId: channelIdSchema, ceiling: decimalString });

type AnswerKey = { channelId: ChannelId; ceiling: BaseUnits };

/** What became of a voucher, and the payer's wish for no more of an answer. Both are authorised by the voucher itself. */
export function storedAnswersRoute(deps: StoredAnswersDeps): Router {
  return Router()
    .get("/v1/answers/:channelId/:ceiling", async (request, response) => {
      const key = await authorise(request, deps);
      response.json(z.encode(storedAnswerCodec, find(key, deps)));
    })
    .post("/v1/answers/:channelId/:ceiling/cut", async (request, response) => {
      const key = await authorise(request, deps);
      const { tokens } = parseCut(request.body);
      const run = deps.runs.get(key.channelId, key.ceiling);
      if (run) await run.cut(tokens);
      response.json(z.encode(cutResponseCodec, final(find(key, deps))));
    });
}

function find(key: AnswerKey, { ledger, runs, payee }: StoredAnswersDeps): StoredAnswer {
  const state = ledger.lookup(key.channelId, key.ceiling);
  if (!state) throw unknown(key);
  switch (state.status) {
    case "open":
      return { status: "running", tokens: runs.get(key.channelId, key.ceiling)?.sent ?? 0 };
    case "none":
      return { status: "none", charged: state.charged };
    case "done":
      return { status: "done", ...storedEvent({ ...key, payee }, state) };
  }
}

/** What a cut is answered with: by now its run has ended. */
function final(found: StoredAnswer): CutResponse {
  assert(found.status !== "running", "a run that was cut has ended");
  if (found.status === "none") return found;
  const { status: _done, ...event } = found;
  return event;
}

/** @throws `voucher.missing`, `voucher.invalid`, `voucher.wrong_signer`, `answer.unknown` */
async function authorise(request: Request, { domain }: StoredAnswersDeps): Promise<AnswerKey> {
  const path = pathSchema.safeParse(request.params);
  if (!path.success) throw new FoldmarkError("answer.unknown", "The path names no channel and ceiling.");
  const key = { channelId: path.data.channelId, ceiling: fromDecimalString(path.data.ceiling) };
  const header = paymentHeader(request);
  if (header === undefined)
    throw new FoldmarkError("voucher.missing", "Send the payment header of the request that this is about.");
  const { payload } = decodePaymentHeader(header);
  const { channel, voucher } = payload;
  const isThisOne =
    channelIdOf(domain, channel) === key.channelId &&
    voucher.channelId === key.channelId &&
    voucher.maxClaimableAmount === key.ceiling;
  if (!isThisOne) throw new FoldmarkError("voucher.invalid", "The voucher in the payment header is not the path's.");
  const signer = await recoverVoucherSigner(domain, payload).catch(() => undefined);
  if (!signer || !isSameAddress(signer, channel.signer))
    throw new FoldmarkError("voucher.wrong_signer", "The voucher is not signed by the channel's signer.", {
      details: { expected: channel.signer, ...(signer ? { signer } : {}) },
    });
  return key;
}

function parseCut(body: unknown): { tokens: number } {
  const parsed = cutRequestSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new FoldmarkError("request.invalid", `The cut is not valid: ${z.prettifyError(parsed.error)}`);
}

const unknown = ({ channelId, ceiling }: AnswerKey) =>
  new FoldmarkError("answer.unknown", `This node knows no voucher for ${ceiling} on ${channelId}.`, {
    details: { channelId, ceiling: ceiling.toString() },
  });
