import { type Job, type ProgramBytes, type Trace, traceInMemory } from "@foldmark/machine";
import type { RandomJob } from "@foldmark/machine/testing";
import { buildTrace } from "@foldmark/node";
import { tokenBytes } from "@foldmark/workloads";
import { withAllTrue } from "../../../packages/machine/test/support/mutations.ts";
import type { Converted } from "../../../packages/workloads/test/support/tinyLlama.ts";
import { type Model, type ModelName, modelOf, type Order, requestOf } from "./models.ts";

/** What a payee says of an order: the statement that it signs, and the trace that it shows for it when it is disputed. */
export type Told = {
  /** What the payer ordered. */
  ordered: { model: ModelName; request: Uint8Array[] };
  /** What the payer received: the claimed tensors that it computes its statement from, and how many steps they are. */
  received: { T: number; claimed: Uint8Array[] };
  /** Program, weights and job of the statement; by default the order's, with what was received. */
  stated: { bytes?: ProgramBytes; model: Model; job: Job };
  /** Undefined where nothing is to be shown. */
  shown: Trace | undefined;
};

/** A payee's way to answer an order. */
export type Lie = () => Promise<Told>;

const source =
  ({ constants }: Model) =>
  (index: number) =>
    constants[index] ?? new Uint8Array();

/** The trace of a job by the engine. */
export const traceOf = (model: Model, job: Job): Promise<Trace> => buildTrace(model.program, source(model), job);

/** The trace in which every element of the last stage says 1. */
export const saidTrue = (model: Model, trace: Trace): Trace => withAllTrue(model.program, trace);

type Chatted = {
  chat: Converted;
  order: Order;
  /** The tokens that are given as the answer. */
  tokens: readonly number[];
};

/** An answer to a chat's order, signed for that order. By default its trace is the model's own, with `ok` forged. */
export async function toldInChat(
  { chat, order, tokens }: Chatted,
  show: (model: Model, job: Job) => Promise<Trace> = async (model, job) => saidTrue(model, await traceOf(model, job)),
): Promise<Told> {
  const model = modelOf(chat);
  const request = requestOf(chat, order);
  const claimed = [tokenBytes([...order.prompt, ...tokens])];
  const job = { T: order.prompt.length + tokens.length, request, claimed };
  return {
    ordered: { model: "chat", request },
    received: { T: job.T, claimed },
    stated: { model, job },
    shown: await show(model, job),
  };
}

/** An answer to a computation's order, with the trace that is shown for it. */
export function toldOfJob(name: ModelName, { program, constants, job }: RandomJob, shown: Trace): Told {
  return {
    ordered: { model: name, request: job.request },
    received: { T: job.T, claimed: job.claimed },
    stated: { model: { program, constants }, job },
    shown,
  };
}

/** The trace of a small job, some tensors of which may be given. */
export const smallTrace = ({ program, constants, job }: RandomJob): Trace =>
  traceInMemory(program, source({ program, constants }), job);
