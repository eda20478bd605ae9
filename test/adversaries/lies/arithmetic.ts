// Lies about the computation: what is answered follows from other numbers than the model's.
import { elementBytes, type Job } from "@foldmark/machine";
import { forgeOnward } from "@foldmark/machine/testing";
import { families, type LlamaConfiguration, llamaConstants } from "@foldmark/workloads";
import { anotherValue, leafWith, valueAt } from "../../../packages/machine/test/support/mutations.ts";
import type { Converted } from "../../../packages/workloads/test/support/tinyLlama.ts";
import { anOrder, answering, answerOf, jobOf, modelOf, openChat, requestOf, withTies } from "./models.ts";
import { type Lie, saidTrue, smallTrace, type Told, toldInChat, toldOfJob, traceOf } from "./told.ts";

/** A model that is not the one ordered answers, and shows a trace in which all is true by its own numbers. */
async function answeredBy(change: (chat: Converted) => Converted | Promise<Converted>): Promise<Told> {
  const chat = await openChat();
  const other = await change(chat);
  using ordered = await answering(chat);
  using answers = await answering(other);
  for (let seed = 1n; seed < 500n; seed++) {
    const order = anOrder({ seed, temperature: 1.5 });
    const tokens = answers.answer(order);
    if (tokens.join() !== ordered.answer(order).join())
      return toldInChat({ chat, order, tokens }, (_, job) => traceOf(modelOf(other), job));
  }
  throw new Error("the other model answers every order like the one that was ordered");
}

function constantOf({ configuration }: Converted, name: string): number {
  const index = [...llamaConstants(configuration).keys()].indexOf(name);
  if (index < 0) throw new Error(`there is no constant ${name}`);
  return index;
}

const withConstant = (chat: Converted, index: number, bytes: Uint8Array): Converted => {
  const constants = chat.constants.with(index, bytes);
  return { ...chat, constants, open: (engine) => engine(chat.model.program, (i) => constants[i] ?? new Uint8Array()) };
};

function withConfiguration(chat: Converted, configuration: LlamaConfiguration): Converted {
  const model = families.get("llama")?.build(configuration);
  if (!model) throw new Error("there is no family llama");
  const open: Converted["open"] = (engine) => engine(model.program, (i) => chat.constants[i] ?? new Uint8Array());
  return { ...chat, configuration, model, open };
}

export const swappedModel: Lie = () => answeredBy(() => openChat(2));

/** The other model's answer, signed as the other model's. */
export const swappedModelAsItself: Lie = async () => {
  const [chat, other] = [await openChat(), await openChat(2)];
  const order = anOrder();
  const told = await toldInChat({ chat: other, order, tokens: await answerOf(other, order) }, traceOf);
  return { ...told, ordered: { model: "chat", request: requestOf(chat, order) } };
};

export const scaleOffByOne: Lie = () =>
  answeredBy((chat) => withConfiguration(chat, { ...chat.configuration, head: chat.configuration.head + 1 }));

/** Positions after the prompt are taken to be one further. */
export const shiftedPosition: Lie = () =>
  answeredBy((chat) =>
    ["rope.cosine", "rope.sine"].reduce((changed, name) => {
      const index = constantOf(chat, name);
      const bytes = changed.constants[index] ?? new Uint8Array();
      const row = bytes.length / chat.configuration.maxT;
      const from = anOrder().prompt.length * row;
      const shifted = bytes.slice();
      shifted.copyWithin(from, from + row);
      return withConstant(changed, index, shifted);
    }, chat),
  );

/** One leaf of a weight matrix is another; the answer is signed for the weights that were ordered. */
export const alteredWeightsLeaf: Lie = () => answeredBy(alteredWeights);

/** The same, signed with the root of the altered weights. */
export const alteredWeightsAsThemselves: Lie = async () => {
  const chat = await openChat();
  const altered = alteredWeights(chat);
  const order = anOrder();
  return toldInChat({ chat: altered, order, tokens: await answerOf(altered, order) }, traceOf);
};

function alteredWeights(chat: Converted): Converted {
  const index = constantOf(chat, "layer.0.gate");
  const bytes = (chat.constants[index] ?? new Uint8Array()).slice();
  bytes.subarray(0, 1024).reverse();
  return withConstant(chat, index, bytes);
}

/** A value in an attention's history is another, and all that follows from it is computed, also the answer. */
export const alteredHistory: Lie = async () => {
  const honest = jobOf("attention over histories");
  const { program } = honest;
  const values = program.stages.findIndex(({ order }) => order === 1);
  const mixed = program.stages.length - 2;
  const at = { stage: values, fold: 0, t: 1, r: 0, c: 0 };
  const trace = smallTrace(honest);
  const value = anotherValue(program, at, { value: valueAt(program, trace, at), pick: 3 });
  const change = leafWith(program, trace, at, value);
  const read = (job: Job) => forgeOnward(trace, { ...honest, job, change });
  const first = read(honest.job);
  const answers = [0, 1].flatMap((r) =>
    Array.from({ length: honest.job.T }, (_, t) => valueAt(program, first, { stage: mixed, fold: 0, t, r, c: 0 })),
  );
  const job = { ...honest.job, claimed: [elementBytes("i32", answers)] };
  return toldOfJob("attention", { ...honest, job }, read(job));
};

/** Of two tokens with the same logit the later is chosen. */
export const tieBreak: Lie = async () => {
  const tied = withTies(jobOf("a dense model"));
  const { program } = tied;
  const chosen = program.stages.length - 2;
  const claimed = [elementBytes("i32", [3n, 1n, 1n, 0n, 0n])]; // all logits are equal, and the lowest token is 0
  const job = { ...tied, job: { ...tied.job, claimed } };
  const trace = smallTrace(job);
  const change = leafWith(program, trace, { stage: chosen, fold: 0, t: 1, r: 0, c: 0 }, 1n);
  return toldOfJob("tied", job, forgeOnward(trace, { ...job, change }));
};

/** A simulation's result is another; its last stage says that it is right. */
export const anotherResult: Lie = async () => {
  const honest = jobOf("a loop simulation");
  const claimed = [(honest.job.claimed[0] ?? new Uint8Array()).slice()];
  claimed[0]?.set([claimed[0][0] === 0 ? 1 : 0]);
  const job = { ...honest, job: { ...honest.job, claimed } };
  return toldOfJob("simulation", job, saidTrue(honest, smallTrace(job)));
};

/** Four of five steps. */
export const fewerSteps: Lie = async () => {
  const honest = jobOf("a loop simulation");
  const short = { ...honest, job: { ...honest.job, T: honest.job.T - 1 } };
  const { program } = honest;
  const total = program.stages.length - 2;
  const trace = smallTrace(short);
  const claimed = [
    elementBytes(
      "i64",
      [0, 1].map((c) => valueAt(program, trace, { stage: total, fold: 0, t: 0, r: 0, c })),
    ),
  ];
  const job = { ...short, job: { ...short.job, claimed } };
  const told = toldOfJob("simulation", job, saidTrue(honest, smallTrace(job)));
  return { ...told, received: { T: honest.job.T, claimed } };
};

export const honestSimulation: Lie = async () => {
  const job = jobOf("a loop simulation");
  return toldOfJob("simulation", job, smallTrace(job));
};
