// The models that everybody in these games knows, made anew in each process.
import type { Program } from "@foldmark/machine";
import { openWasm } from "@foldmark/machine";
import type { RandomJob } from "@foldmark/machine/testing";
import { generateWhole, llamaRequest, type Sampling } from "@foldmark/workloads";
import { type Converted, converted, randomLlama } from "../../../packages/workloads/test/support/tinyLlama.ts";
import { tinyPrograms } from "../../support/tinyPrograms.ts";

/** A program with its weights. */
export type Model = { program: Program; constants: readonly Uint8Array[] };

const MAX_T = 32;
/** Low ids, which answers of these weights end with now and then. */
const STOP_IDS = [2, 0];

/** A chat model of random weights; another seed is another model of the same shape. */
export const openChat = (seed = 1): Promise<Converted> =>
  converted(randomLlama({ context: MAX_T }, { seed, sharpness: 3 }), { maxT: MAX_T, stopIds: STOP_IDS });

export function jobOf(kind: string): RandomJob {
  const found = tinyPrograms.find((each) => each.kind === kind);
  if (!found) throw new Error(`there is no ${kind}`);
  return found.job;
}

/** The model with one vector for all tokens, so that all logits are equal. */
export function withTies(job: RandomJob): RandomJob {
  const [embedding, ...others] = job.constants;
  if (!embedding) throw new Error("there is no embedding");
  const row = embedding.subarray(0, 4);
  return { ...job, constants: [Uint8Array.from(embedding, (_, i) => row[i % row.length] ?? 0), ...others] };
}

/** What is sold here, by name: chat answers and small computations. */
export const MODELS = {
  chat: async (): Promise<Model> => modelOf(await openChat()),
  simulation: async (): Promise<Model> => jobOf("a loop simulation"),
  attention: async (): Promise<Model> => jobOf("attention over histories"),
  tied: async (): Promise<Model> => withTies(jobOf("a dense model")),
} as const;
export type ModelName = keyof typeof MODELS;

export const modelOf = ({ model, constants }: Converted): Model => ({ program: model.program, constants });

/** What a caller asks a chat model for. */
export type Order = { prompt: number[]; limit: number } & Sampling;
export const anOrder = (change: Partial<Order> = {}): Order => ({
  ...{ prompt: [7, 33, 12], limit: 8, temperature: 0.8, minP: 0, seed: 2n },
  ...change,
});
export const requestOf = (chat: Converted, order: Order): Uint8Array[] => llamaRequest(order, chat.configuration);

/** A model with an engine that answers orders by it, as many as are wanted. */
export async function answering(chat: Converted) {
  const engine = await chat.open(openWasm);
  return {
    answer(order: Order): number[] {
      const { prompt, limit } = order;
      return generateWhole(engine, { model: chat.model, request: requestOf(chat, order), prompt, limit }).tokens;
    },
    [Symbol.dispose]: () => engine.close(),
  };
}

/** The tokens that a model gives for an order. */
export async function answerOf(chat: Converted, order: Order): Promise<number[]> {
  using model = await answering(chat);
  return model.answer(order);
}
