import {
  add,
  and,
  clamp,
  dot,
  type Expr,
  eq,
  type FoldHandle,
  floorShr,
  isqrt,
  lt,
  max,
  min,
  mul,
  mulshr,
  not,
  or,
  type Program,
  programBuilder,
  select,
  shl,
  shr,
  size,
  sub,
  type TensorHandle,
  udiv,
  type Value,
  xor,
} from "@foldmark/machine";
import { interpolated, noisePlace } from "../exact/noise.ts";
import type { LlamaConfiguration, LlamaLayerConfiguration } from "./configuration.ts";
import { layerConstant, llamaConstants } from "./layout.ts";
import { PARAMETER } from "./parameters.ts";
import { powerOfTwo } from "./quantise.ts";
import type { LayerTensor } from "./source.ts";

/** The program of a Llama and the folds that a server or an auditor reads. */
export type LlamaProgram = {
  program: Program;
  /** i32[1, vocabulary], Q16 in nat. */
  logits: FoldHandle;
  /** i32[1, 1], the token that follows position t. */
  sample: FoldHandle;
  /** Activations whose binary point is fixed: an element at +-range may stand for a larger one. */
  activations: Activation[];
};

export type Activation = { name: ActivationName; fold: FoldHandle; range: number };
/** `query` and `key` are meant after rope, `projectedQuery` and `projectedKey` before. */
export type ActivationName =
  | "norm"
  | "projectedQuery"
  | "projectedKey"
  | "query"
  | "key"
  | "value"
  | "gate"
  | "up"
  | "hidden"
  | "residual";

const PROJECTED = { query: "projectedQuery", key: "projectedKey", value: "value", gate: "gate", up: "up" } as const;
type Projection = keyof typeof PROJECTED;

const HALF_RANGE = 32_767; // of 16 bits, without -32,768
const LIMB_RANGE = 127 * 256 + 127; // the largest value whose two signed bytes both lie in -127..127
const PROBABILITY_ONE = 16_256; // two unsigned limbs of 7 bits
const KEY_RANGE = 2_047; // 12 bits
const BYTE_RANGE = 127;

/**
 * A decoder-only transformer of the Llama family in integers. Position t reads token claimed[0, t] and predicts the next
 * one; the last stage, `ok`, is 1 at every position exactly if the claimed tokens are the prompt followed by what the
 * model samples, up to a stop token or the limit.
 * Tensors keep the letters of the papers; Q(n) means n fraction bits.
 */
export function llamaProgram(configuration: LlamaConfiguration): LlamaProgram {
  const { maxT, vocabulary, width, ffn, heads, kvHeads, headSize } = configuration;
  const p = programBuilder({ maxT });
  const prompt = p.request({ type: "i32", rows: 1, cols: maxT }); // zeros behind the prompt
  const parameters = p.request({ type: "i64", rows: 1, cols: PARAMETER.count });
  const tokens = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const constants = new Map<string, TensorHandle>();
  for (const [name, shape] of llamaConstants(configuration)) constants.set(name, p.constant(shape));
  const constant = (name: string): TensorHandle => {
    const found = constants.get(name);
    if (!found) throw new Error(`no constant ${name}`);
    return found;
  };
  const activations: Activation[] = [];
  const observed = (name: ActivationName, range: number, fold: FoldHandle): FoldHandle => {
    activations.push({ name, fold, range });
    return fold;
  };
  const residualRange = powerOfTwo(configuration.residualBits) - 1;
  const cosine = constant("rope.cosine"); // i16[maxT, headSize], Q14
  const sine = constant("rope.sine"); // i16[maxT, headSize], Q14, negative in even columns

  /** x / rms(x) * gain: R = 2^44 / |x| (i64), then n i16[1, width]. */
  const norm = (name: string, x: FoldHandle, gain: TensorHandle, shift: number): FoldHandle => {
    const R = p.sum(
      { name: `${name}.inverse`, type: "i64", axis: width },
      {
        body: ({ t, k }) => square(x.at(t, 0, k)),
        finish: ({ acc }) => udiv(2n ** 44n, max(1, isqrt(add(acc, configuration.epsilon)))),
      },
    );
    const n = p.fold({ name, type: "i16", cols: width }, ({ t, c }) =>
      bounded(mulshr(mul(x.at(t, 0, c), gain.at(0, c)), R.at(t, 0, 0), shift), LIMB_RANGE),
    );
    return observed("norm", LIMB_RANGE, n);
  };

  /** The weighted sums of `input`, one for each row of the matrix, on their own scales: out[1, outputs]. */
  const linear = (
    name: string,
    input: FoldHandle,
    out: {
      type: "i8" | "i16" | "i32";
      order?: 0 | 1;
      shift: number;
      range?: number;
      plus?: FoldHandle;
      matrix?: string;
    },
  ): FoldHandle => {
    const matrix = constant(out.matrix ?? name); // i8[outputs, inputs]
    const scale = constant(`${name}.scale`); // i16[1, outputs]
    const { plus, range } = out;
    return p.sum(
      { name, type: out.type, cols: matrix.rows, axis: matrix.cols, order: out.order ?? 0 },
      {
        body: ({ t, c, k }) => dot(input.at(t, 0, k), matrix.at(c, k)),
        finish: ({ t, c, acc }) => {
          const value = shifted(mul(acc, scale.at(0, c)), out.shift);
          const sum = plus ? add(plus.at(t, 0, c), value) : value;
          return range === undefined ? sum : bounded(sum, range);
        },
      },
    );
  };

  /** Rotary embedding: [1, rows * headSize] to i16[rows, headSize]. */
  const rope = (
    l: number,
    name: "query" | "key",
    x: FoldHandle,
    { rows, shift, range }: { rows: number; shift: number; range: number },
  ): FoldHandle => {
    const rotated = p.fold(
      { name: `${layerConstant(l, name)}.rope`, type: "i16", rows, cols: headSize },
      ({ t, r, c }) => {
        const first = mul(r, headSize);
        const own = mul(x.at(t, 0, add(first, c)), cosine.at(t, c));
        const other = mul(x.at(t, 0, add(first, xor(c, 1))), sine.at(t, c));
        return bounded(shr(add(own, other), shift), range);
      },
    );
    return observed(name, range, rotated);
  };

  const layer = (l: number, x: FoldHandle, shifts: LlamaLayerConfiguration): FoldHandle => {
    const named = (name: LayerTensor) => layerConstant(l, name);
    const project = (name: Projection, input: FoldHandle, out: { type: "i8" | "i16"; order?: 0 | 1; range: number }) =>
      observed(PROJECTED[name], out.range, linear(named(name), input, { ...out, shift: shifts[name] }));
    const addTo = (stream: FoldHandle, name: "attentionOut" | "down", input: FoldHandle) =>
      observed(
        "residual",
        residualRange,
        linear(named(name), input, { type: "i32", shift: shifts[name], range: residualRange, plus: stream }),
      );

    const n = norm(named("attentionNorm"), x, constant(named("attentionNorm")), shifts.attentionNorm);
    const q = project("query", n, { type: "i16", range: HALF_RANGE }); // i16[1, heads * headSize]
    const k = project("key", n, { type: "i16", range: HALF_RANGE }); // i16[1, kvHeads * headSize]
    const v = project("value", n, { type: "i8", order: 1, range: BYTE_RANGE }); // i8[1, kvHeads * headSize], time innermost
    const Q = rope(l, "query", q, { rows: heads, shift: 14, range: HALF_RANGE });
    const K = rope(l, "key", k, { rows: kvHeads, shift: 17, range: KEY_RANGE });
    const o = attention(l, { Q, K, v, shift: shifts.score }); // i16[1, heads * headSize]
    const y = addTo(x, "attentionOut", o);

    const m = norm(named("ffnNorm"), y, constant(named("ffnNorm")), shifts.ffnNorm);
    const g = project("gate", m, { type: "i16", range: HALF_RANGE }); // i16[1, ffn], Q(gateBits)
    const u = project("up", m, { type: "i16", range: HALF_RANGE }); // i16[1, ffn]
    const h = p.fold({ name: `layer.${l}.hidden`, type: "i16", cols: ffn }, ({ t, c }) => {
      const gate = g.at(t, 0, c);
      const silu = shr(mul(gate, sigmoid(gate, shifts.gateBits)), 15);
      return bounded(shifted(mul(silu, u.at(t, 0, c)), shifts.hidden), LIMB_RANGE);
    });
    return addTo(y, "down", observed("hidden", LIMB_RANGE, h));
  };

  /** Causal attention with a base-2 softmax that is divided after the values are summed. */
  const attention = (
    l: number,
    { Q, K, v, shift }: { Q: FoldHandle; K: FoldHandle; v: FoldHandle; shift: number },
  ): FoldHandle => {
    const group = heads / kvHeads;
    const name = (part: string) => `layer.${l}.${part}`;
    // z i32[heads, t + 1], Q16
    const z = p.sum(
      { name: name("scores"), type: "i32", rows: heads, cols: size.history, axis: headSize },
      {
        body: ({ t, r, c, k }) => dot(Q.at(t, r, k), K.at(c, quotient(r, group), k)),
        finish: ({ acc }) => shifted(acc, shift),
      },
    );
    const top = p.argmax({ name: name("scores.top"), rows: heads, axis: size.history }, ({ t, r, k }) => z.at(t, r, k));
    // P i16[heads, t + 1]: 2^(z - max z), 1 is 16,256
    const exp2 = constant("exp2");
    const P = p.fold({ name: name("probabilities"), type: "i16", rows: heads, cols: size.history }, ({ t, r, c }) => {
      const below = sub(z.at(t, r, top.at(t, r, 0)), z.at(t, r, c)); // >= 0
      const octaves = min(floorShr(below, 16), 24);
      const fraction = and(below, 65_535);
      const entry = floorShr(fraction, 10);
      const here = exp2.at(0, entry);
      const slope = sub(here, exp2.at(0, add(entry, 1)));
      const power = sub(here, shr(mul(slope, and(fraction, 1_023)), 10));
      return clamp(mulshr(mul(power, 2), constant("shift").at(0, octaves), 15), 0, PROBABILITY_ONE);
    });
    // Z i32[heads, 1]: 2^40 / sum; the maximum alone contributes 16,256
    const Z = p.sum(
      { name: name("probabilities.inverse"), type: "i32", rows: heads, axis: size.history },
      {
        body: ({ t, r, k }) => P.at(t, r, k),
        finish: ({ acc }) => udiv(2n ** 40n, max(acc, PROBABILITY_ONE)),
      },
    );
    // o i16[1, heads * headSize]: means of values, 256 steps each
    return p.sum(
      { name: name("attention"), type: "i16", cols: heads * headSize, axis: size.history },
      {
        body: ({ t, c, k }) => {
          const head = quotient(c, headSize);
          const channel = add(mul(quotient(head, group), headSize), and(c, headSize - 1));
          return dot(P.at(t, head, k), v.at(k, 0, channel));
        },
        finish: ({ t, c, acc }) => bounded(shr(mul(acc, Z.at(t, quotient(c, headSize), 0)), 32), BYTE_RANGE * 256),
      },
    );
  };

  /** 32,768 / (1 + e^-gate), by a table of 16 entries a unit over -16..16. */
  const sigmoid = (gate: Expr, gateBits: number): Expr => {
    const table = constant("sigmoid");
    const stepBits = gateBits - 4;
    const place = clamp(add(gate, powerOfTwo(gateBits + 4)), 0, powerOfTwo(gateBits + 5) - 1);
    const entry = floorShr(place, stepBits);
    const here = table.at(0, entry);
    if (stepBits === 0) return here;
    const slope = sub(table.at(0, add(entry, 1)), here);
    return add(here, shr(mul(slope, and(place, powerOfTwo(stepBits) - 1)), stepBits));
  };

  // x i32[1, width]: the residual stream
  const embedding = constant("embedding"); // i8[vocabulary, width]
  const embeddingScale = constant("embedding.scale"); // i16[1, vocabulary]
  let x = p.fold({ name: "embedding", type: "i32", cols: width }, ({ t, c }) => {
    const token = tokens.at(0, t);
    const value = shifted(mul(embedding.at(token, c), embeddingScale.at(0, token)), configuration.embedding);
    return bounded(value, residualRange);
  });
  for (const [l, shifts] of configuration.layers.entries()) x = layer(l, x, shifts);
  const n = norm("headNorm", x, constant("headNorm"), configuration.headNorm);
  const head = configuration.isTied ? "embedding" : "head";
  const logits = linear("head", n, { type: "i32", shift: configuration.head, matrix: head });
  const top = p.argmax({ name: "logits.top", axis: vocabulary }, ({ t, k }) => logits.at(t, 0, k));

  /** Gumbel noise for (t, k), Q16: the interpolated -ln(-ln q) of a 33-bit uniform that is never 0 or 1. */
  const gumbel = (t: Expr, k: Expr): Expr => {
    const place = noisePlace(t, k, parameters.at(0, PARAMETER.seed));
    return interpolated(constant("gumbel"), place.isLower, place); // of i32[2, 2049]
  };

  // Gumbel-max over what min-p leaves: the argmax of logit / temperature + noise is a sample of the softmax
  const sample = p.argmax({ name: "sample", axis: vocabulary }, ({ t, k }) => {
    const logit = logits.at(t, 0, k);
    const inverseTemperature = clamp(
      parameters.at(0, PARAMETER.inverseTemperature),
      0,
      PARAMETER.maxInverseTemperature,
    );
    const gap = clamp(parameters.at(0, PARAMETER.gap), 0, PARAMETER.maxGap);
    const best = logits.at(t, 0, top.at(t, 0, 0));
    const noisy = add(shr(mul(logit, inverseTemperature), 16), gumbel(t, k));
    return select(lt(logit, sub(best, gap)), -(2n ** 62n), select(eq(inverseTemperature, 0), logit, noisy));
  });

  p.fold({ name: "ok", type: "i8" }, ({ t, T }) => {
    const promptLength = clamp(parameters.at(0, PARAMETER.promptLength), 0, maxT);
    const limit = clamp(parameters.at(0, PARAMETER.limit), 0, maxT);
    const token = tokens.at(0, t);
    const generated = sub(T, promptLength);
    const inPrompt = lt(t, promptLength);
    const stops = anyOf(configuration.stopIds.map((id) => eq(token, id)));
    const isExpected = eq(token, select(inPrompt, prompt.at(0, t), sample.at(sub(t, 1), 0, 0)));
    const isToken = and(lt(-1, token), lt(token, vocabulary));
    const isEnd = or(stops, eq(generated, limit));
    const stopsRight = or(inPrompt, select(eq(t, sub(T, 1)), isEnd, not(stops)));
    const hasAnswer = and(lt(0, promptLength), lt(promptLength, T), not(lt(limit, generated)));
    return and(isExpected, isToken, stopsRight, hasAnswer);
  });
  return { program: p.build(), logits, sample, activations };
}

/** Clamped to -range..range: what a stored value's interval is, and a referee need not look further. */
const bounded = (value: Value, range: number): Expr => clamp(value, -range, range);

/** Shifted right with rounding; a negative count shifts left. */
const shifted = (value: Expr, bits: number): Expr => {
  if (bits === 0) return value;
  return bits > 0 ? shr(value, bits) : shl(value, -bits);
};

/** One load, used twice. */
const square = (value: Expr): Expr => mul(value, value);
const quotient = (value: Expr, divisor: number): Expr => (divisor === 1 ? value : udiv(value, divisor));
const anyOf = ([first, ...others]: Expr[]): Value => (first ? others.reduce((any, one) => or(any, one), first) : 0);
