import { ANSWER_EVENTS, paymentEventCodec } from "@foldmark/protocol";
import { type Request, type Response, Router } from "express";
import { z } from "zod";
import { type AcceptedRequest, type AdmissionDeps, admit } from "./admission.ts";
import { AnswerRun, type AnswerRunDeps, type Outcome } from "./answerRun.ts";
import { type AnswerStream, openAnswerStream } from "./eventStream.ts";
import { paymentHeader } from "./paymentHeader.ts";
import { wireError } from "./refusal.ts";
import type { Runs } from "./runs.ts";
import type { ServingWatch } from "./servingWatch.ts";
import { type SignAnswerDeps, signAnswer } from "./signAnswer.ts";

export type AnswersRouteDeps = Omit<AdmissionDeps, "checkRoom"> &
  SignAnswerDeps &
  Pick<AnswerRunDeps, "engine" | "scheduler"> & {
    runs: Runs;
    watch: ServingWatch;
    /** Throws `node.draining` or `node.starting` when no new work is taken. */
    checkOpen(): void;
    keepAliveMs?: number;
  };

/** `POST /v1/answers`: checks, takes the voucher, then streams the answer and its payment. */
export function answersRoute(deps: AnswersRouteDeps): Router {
  return Router().post("/v1/answers", async (request: Request, response: Response) => {
    deps.checkOpen();
    const accepted = await admit(
      { body: request.body, payment: paymentHeader(request) },
      {
        ...deps,
        checkRoom(place) {
          deps.checkOpen(); // the node may have begun to drain while the chain was read
          deps.scheduler.checkRoom(place);
        },
      },
    );
    const stream = openAnswerStream(response, deps.keepAliveMs === undefined ? {} : { keepAliveMs: deps.keepAliveMs });
    const run = start(accepted, stream, deps);
    response.once("close", () => run.lost());
    if (response.destroyed) run.lost(); // the payer has gone while its voucher was checked
    end(stream, await run.ended);
  });
}

function start(accepted: AcceptedRequest, stream: AnswerStream, deps: AnswersRouteDeps): AnswerRun {
  const { engine, scheduler, ledger, runs, watch } = deps;
  const seen = watch.accepted(accepted);
  const run = new AnswerRun(accepted, {
    engine,
    scheduler,
    listener: {
      hint(agreed) {
        stream.send(ANSWER_EVENTS.hint, { agreed });
      },
      tokens(tokens) {
        seen.tokens(tokens.length);
        stream.send(ANSWER_EVENTS.tokens, { tokens });
      },
    },
    sign: (completion) => signAnswer(accepted, completion, deps),
    closeEmpty: () => ledger.closeEmpty(accepted.channelId, accepted.ceiling),
  });
  runs.add(run);
  void run.ended.then((outcome) => seen.ended(outcome));
  scheduler.add(run);
  return run;
}

function end(stream: AnswerStream, outcome: Outcome): void {
  if (outcome.status === "done") stream.send(ANSWER_EVENTS.payment, z.encode(paymentEventCodec, outcome.event));
  if (outcome.status === "failed") stream.send(ANSWER_EVENTS.error, { error: wireError(outcome.error) });
  stream.end();
}
