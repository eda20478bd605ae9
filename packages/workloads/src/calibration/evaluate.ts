import { BYTES, type Engine, type Session } from "@foldmark/machine";
import type { Activation, ActivationName, LlamaProgram } from "../llama/program.ts";
import { tokenBytes } from "../llama/request.ts";
import type { LlamaSource } from "../llama/source.ts";
import { runFloat } from "./floatModel.ts";

export type Evaluation = {
  /** Positions whose next token was scored: all but the last of each sequence. */
  predictions: number;
  floatPerplexity: number;
  integerPerplexity: number;
  /** integerPerplexity / floatPerplexity - 1, and its standard error over predictions. */
  change: number;
  changeError: number;
  /** Positions whose most likely token is the same. */
  topAgreement: number;
  /** Mean Kullback-Leibler divergence of the integer model's distribution from the float model's, nat. */
  divergence: number;
  /** How many stored values lay at the end of their range, of how many. */
  saturation: Record<ActivationName, { saturated: number; of: number }>;
};

export type EvaluateOptions = {
  /** The weights that the integers were made from. */
  source: LlamaSource;
  /** An engine with the integer model, whose logits are `program.logits`. */
  engine: Engine;
  program: LlamaProgram;
  /** Texts as tokens, each read from position 0, at least two tokens long. */
  sequences: number[][];
  progress?(done: number, of: number): void;
};

const CHUNK = 64; // positions whose logits are in memory at once

/** Reads the same tokens with float32 and integer arithmetic and compares what they predict. */
export async function evaluate({ source, engine, program, sequences, progress }: EvaluateOptions): Promise<Evaluation> {
  const total = sequences.reduce((sum, { length }) => sum + length, 0);
  const sums = { predictions: 0, float: 0, integer: 0, difference: 0, squares: 0, agreed: 0, divergence: 0 };
  const saturation = {} as Evaluation["saturation"];
  for (const { name } of program.activations) saturation[name] = { saturated: 0, of: 0 };
  let done = 0;
  let reader: IntegerReader | undefined;
  await runFloat(source, sequences, {
    logits({ sequence, position }, logits) {
      const tokens = sequences[sequence] as number[];
      if (position === 0) {
        reader?.close();
        reader = integerReader(engine, program, tokens, saturation);
      }
      const integer = (reader as IntegerReader).logits(position);
      const next = tokens[position + 1];
      if (next !== undefined) compare(sums, logits, integer, next);
      progress?.(++done, total);
    },
  });
  reader?.close();
  const { predictions: n } = sums;
  const mean = sums.difference / n;
  const ratio = Math.exp(mean);
  return {
    predictions: n,
    floatPerplexity: Math.exp(sums.float / n),
    integerPerplexity: Math.exp(sums.integer / n),
    change: ratio - 1,
    changeError: ratio * Math.sqrt((sums.squares / n - mean * mean) / n),
    topAgreement: sums.agreed / n,
    divergence: sums.divergence / n,
    saturation,
  };
}

type Sums = Record<"predictions" | "float" | "integer" | "difference" | "squares" | "agreed" | "divergence", number>;

/** Adds one prediction: `float` in nat, `integer` Q16 nat, and the token that followed. */
function compare(sums: Sums, float: Float32Array, integer: Int32Array, next: number): void {
  let [floatTop, integerTop] = [0, 0];
  for (let v = 1; v < float.length; v++) {
    if ((float[v] as number) > (float[floatTop] as number)) floatTop = v;
    if ((integer[v] as number) > (integer[integerTop] as number)) integerTop = v;
  }
  const [floatMost, integerMost] = [float[floatTop] as number, integer[integerTop] as number];
  let [floatSum, integerSum, weighted] = [0, 0, 0];
  for (let v = 0; v < float.length; v++) {
    const a = (float[v] as number) - floatMost;
    const b = ((integer[v] as number) - integerMost) / 65_536;
    const p = Math.exp(a);
    floatSum += p;
    integerSum += Math.exp(b);
    weighted += p * (a - b);
  }
  const floatLoss = Math.log(floatSum) - ((float[next] as number) - floatMost);
  const integerLoss = Math.log(integerSum) - ((integer[next] as number) - integerMost) / 65_536;
  const difference = integerLoss - floatLoss;
  sums.predictions++;
  sums.float += floatLoss;
  sums.integer += integerLoss;
  sums.difference += difference;
  sums.squares += difference * difference;
  sums.agreed += floatTop === integerTop ? 1 : 0;
  sums.divergence += weighted / floatSum - Math.log(floatSum) + Math.log(integerSum);
}

type IntegerReader = { logits(position: number): Int32Array; close(): void };

/** Reads a sequence in chunks, just ahead of the positions that are asked for, in order. */
function integerReader(
  engine: Engine,
  { program, logits, activations }: LlamaProgram,
  tokens: number[],
  saturation: Evaluation["saturation"],
): IntegerReader {
  const session: Session = engine.open({
    request: program.requests.map(({ type, rows, cols }) => new Uint8Array(BYTES[type] * rows * cols)),
  });
  const width = program.stages[logits.stage]?.folds[logits.fold]?.cols ?? 0;
  const want = [logits, ...activations.map(({ fold }) => fold)].map(({ stage, fold }) => ({
    stage,
    fold,
    steps: "all" as const,
  }));
  let chunk = new Int32Array();
  let start = 0;
  return {
    logits(position) {
      if (position === session.steps) {
        start = position;
        const steps = Math.min(CHUNK, tokens.length - position);
        const claimed = [tokenBytes(tokens.slice(position, position + steps))];
        const [result, ...stored] = engine.advance([{ session, steps, claimed, want }])[0] as Uint8Array[];
        chunk = new Int32Array((result as Uint8Array).slice().buffer);
        for (const [i, activation] of activations.entries())
          count(saturation[activation.name], activation, stored[i] as Uint8Array);
      }
      return chunk.subarray((position - start) * width, (position - start + 1) * width);
    },
    close: () => session.close(),
  };
}

function count(into: { saturated: number; of: number }, { fold, range }: Activation, bytes: Uint8Array): void {
  const aligned = bytes.slice().buffer;
  const values =
    fold.type === "i8"
      ? new Int8Array(aligned)
      : fold.type === "i16"
        ? new Int16Array(aligned)
        : new Int32Array(aligned);
  into.of += values.length;
  for (const value of values) if (value === range || value === -range) into.saturated++;
}
