import type { Engine, Session, Want } from "@foldmark/machine";
import { sha256 } from "@foldmark/machine/commitments";
import {
  type BrowserPackage,
  type Hex,
  llamaProgram,
  llamaRequest,
  parseLlamaConfiguration,
  toHex,
  tokenBytes,
  tokensOf,
} from "@foldmark/workloads/browser";

/** A Llama in an engine, the same in Node and in a browser. */
export type OpenedModel = { engine: Engine; logits: Want; sample: Want; vocabulary: number };

/** The token that follows each position, and the SHA-256 of all logits in order. */
export type Positions = { samples: number[]; digest: Hex };

export function openedModel(engine: Engine, { manifest }: Pick<BrowserPackage, "manifest">): OpenedModel {
  const configuration = parseLlamaConfiguration(manifest.family?.configuration);
  const { logits, sample } = llamaProgram(configuration);
  const want = ({ stage, fold }: { stage: number; fold: number }): Want => ({ stage, fold, steps: "all" });
  return { engine, logits: want(logits), sample: want(sample), vocabulary: configuration.vocabulary };
}

export function sessionOf({ engine, vocabulary }: OpenedModel): Session {
  const order = { prompt: [1], limit: 1, seed: 1n, temperature: 0, minP: 0 };
  return engine.open({ request: llamaRequest(order, { maxT: engine.program.maxT, vocabulary }) });
}

/** Reads tokens in one call. Gives the token that follows each. */
export function read({ engine, sample }: OpenedModel, session: Session, tokens: readonly number[]): number[] {
  const [result] = engine.advance([{ session, steps: tokens.length, claimed: [tokenBytes(tokens)], want: [sample] }]);
  return tokensOf(result?.[0] ?? new Uint8Array());
}

/** Logits and samples of all positions, by one call for each or by one for all. */
export function positions(
  model: OpenedModel,
  { tokens, by }: { tokens: readonly number[]; by: "decode" | "prefill" },
): Positions {
  const { engine, logits, sample, vocabulary } = model;
  const all = new Uint8Array(4 * vocabulary * tokens.length);
  const samples: number[] = [];
  const session = sessionOf(model);
  const calls = by === "decode" ? tokens.map((token) => [token]) : [tokens];
  let at = 0;
  for (const part of calls) {
    const move = { session, steps: part.length, claimed: [tokenBytes(part)], want: [logits, sample] };
    const [scores, chosen] = engine.advance([move])[0] ?? [];
    all.set(scores ?? new Uint8Array(), at);
    at += scores?.length ?? 0;
    samples.push(...tokensOf(chosen ?? new Uint8Array()));
  }
  session.close();
  return { samples, digest: toHex(sha256(all)) };
}

/** Any tokens do for a measurement: the work does not depend on them. */
export const someTokens = (count: number, vocabulary: number): number[] =>
  Array.from({ length: count }, (_, i) => (i * 7_919 + 17) % vocabulary);
