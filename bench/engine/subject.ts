import { openWasmWith, type Session, type WasmEngine, type WasmOptions } from "@foldmark/machine";
import {
  type LlamaOrder,
  llamaRequest,
  mixedCorpus,
  type ServedModel,
  tokenBytes,
  tokensOf,
} from "@foldmark/workloads";
import type { BenchModel } from "../model.ts";

/** The engine with the model on it, and real text: how long matrices take does not depend on it, but sampling does. */
export type Subject = {
  model: BenchModel;
  served: ServedModel;
  engine: WasmEngine;
  /** Tokens. */
  text: number[];
  /** Greedy, unless the order says otherwise. */
  request(order: Partial<LlamaOrder>): Uint8Array[];
  open(order?: Partial<LlamaOrder>): Session;
  /** Moves sessions together, each by its own tokens; gives what each samples after the last of them. */
  read(moves: readonly (readonly [Session, readonly number[]])[]): number[];
};

export async function openSubject(model: BenchModel, options: WasmOptions = {}): Promise<Subject> {
  const { program, constants, tokenizer, stopIds } = model;
  const { stage, fold } = program.sample;
  const engine = await openWasmWith(program.program, (index) => constants[index] ?? new Uint8Array(), options);
  const bounds = { maxT: program.program.maxT, vocabulary: tokenizer.vocabulary };
  const parts = (await mixedCorpus()).flatMap((part) => (part.kind === "text" ? [part.text] : []));
  const greedy: LlamaOrder = { prompt: [1], limit: 1, seed: 1n, temperature: 0, minP: 0 };
  const request = (order: Partial<LlamaOrder>) => llamaRequest({ ...greedy, ...order }, bounds);
  return {
    ...{ model, engine, request, text: tokenizer.encode(parts.join("\n\n")) },
    served: { kind: "chat", length: "open", answers: [{ claimed: 0, stage, fold }], stopIds },
    open: (order = {}) => engine.open({ request: request(order) }),
    read(moves) {
      const want = [{ stage, fold, steps: "last" as const }];
      const results = engine.advance(
        moves.map(([session, tokens]) => ({ session, steps: tokens.length, claimed: [tokenBytes(tokens)], want })),
      );
      return results.map(([sampled]) => tokensOf(sampled ?? new Uint8Array())[0] as number);
    },
  };
}
