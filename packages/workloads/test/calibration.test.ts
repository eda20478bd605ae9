import { openReference } from "@foldmark/machine";
import { describe, expect, it } from "vitest";
import { collectMaxima } from "../src/calibration/collect.ts";
import { corpusTokens, mixedCorpus, parseCorpus } from "../src/calibration/corpus.ts";
import { evaluate } from "../src/calibration/evaluate.ts";
import type { ActivationName } from "../src/calibration/floatLayer.ts";
import { runFloat } from "../src/calibration/floatModel.ts";
import { knownMaxima } from "../src/calibration/knownMaxima.ts";
import { decodeMaxima, encodeMaxima } from "../src/calibration/maximaFile.ts";
import { DEFAULT_MODEL } from "../src/defaultModel/facts.ts";
import { llamaProgram } from "../src/llama/program.ts";
import { tokenBytes, tokensOf } from "../src/llama/request.ts";
import type { LlamaShape, LlamaSource } from "../src/llama/source.ts";
import { openTokenizer } from "../src/tokenizers/tokenizer.ts";
import { smallByteTokenizer, smallSentencePiece } from "./smallTokenizers.ts";
import { converted, randomLlama } from "./support/tinyLlama.ts";

/** The same model in plain loops of doubles. */
async function plainLogits(source: LlamaSource, tokens: number[]): Promise<number[][]> {
  const { shape } = source;
  const { width, ffn, heads, kvHeads, headSize } = shape;
  const embedding = await source.read("embedding");
  const head = shape.isTied ? embedding : await source.read("head");
  const times = (matrix: Float32Array, x: number[]) =>
    Array.from({ length: matrix.length / x.length }, (_, j) =>
      x.reduce((sum, value, i) => sum + value * (matrix[j * x.length + i] as number), 0),
    );
  const norm = (x: number[], gain: Float32Array) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / width + shape.epsilon);
    return x.map((value, i) => value * scale * (gain[i] as number));
  };
  const rope = (x: number[], t: number) =>
    x.map((value, c) => {
      if (c % headSize >= shape.rotated) return value;
      const angle = t * shape.ropeBase ** ((-2 * Math.floor((c % headSize) / 2)) / shape.rotated);
      const other = x[c ^ 1] as number;
      return value * Math.cos(angle) + (c % 2 === 0 ? -other : other) * Math.sin(angle);
    });
  const streams = tokens.map((token) => [...embedding.subarray(token * width, (token + 1) * width)]);
  for (let layer = 0; layer < shape.layers; layer++) {
    const read = (
      name: "query" | "key" | "value" | "attentionOut" | "gate" | "up" | "down" | "attentionNorm" | "ffnNorm",
    ) => source.read({ layer, name });
    const [query, key, value, out, gate, up, down] = (await Promise.all(
      (["query", "key", "value", "attentionOut", "gate", "up", "down"] as const).map(read),
    )) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
    const [attentionNorm, ffnNorm] = [await read("attentionNorm"), await read("ffnNorm")];
    const normed = streams.map((x) => norm(x, attentionNorm));
    const q = normed.map((x, t) => rope(times(query, x), t));
    const k = normed.map((x, t) => rope(times(key, x), t));
    const v = normed.map((x) => times(value, x));
    for (const [t, x] of streams.entries()) {
      const mixed: number[] = [];
      for (let h = 0; h < heads; h++) {
        const from = Math.floor((h * kvHeads) / heads) * headSize;
        const weights = k.slice(0, t + 1).map((row) => {
          let score = 0;
          for (let c = 0; c < headSize; c++) score += (q[t]?.[h * headSize + c] as number) * (row[from + c] as number);
          return Math.exp(score / Math.sqrt(headSize));
        });
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let c = 0; c < headSize; c++) {
          mixed.push(weights.reduce((sum, weight, j) => sum + (weight / total) * (v[j]?.[from + c] as number), 0));
        }
      }
      for (const [i, change] of times(out, mixed).entries()) x[i] = (x[i] as number) + change;
      const m = norm(x, ffnNorm);
      const u = times(up, m);
      const hidden = times(gate, m).map((g, i) => (g / (1 + Math.exp(-g))) * (u[i] as number));
      expect(hidden).toHaveLength(ffn);
      for (const [i, change] of times(down, hidden).entries()) x[i] = (x[i] as number) + change;
    }
  }
  const gain = await source.read("headNorm");
  return streams.map((x) => times(head, norm(x, gain)));
}

const tokens = Array.from({ length: 70 }, (_, i) => (i * 37 + 11) % 64); // more than one block of positions

describe("runFloat", () => {
  it.each<{ what: string; change: Partial<LlamaShape> }>([
    { what: "grouped heads, tied", change: {} },
    {
      what: "one key head, untied, heads that rotate in part",
      change: { heads: 2, kvHeads: 1, headSize: 32, isTied: false },
    },
    { what: "a vocabulary that four does not divide", change: { vocabulary: 67, kvHeads: 4 } },
  ])("computes what plain loops compute: $what", async ({ change }) => {
    const source = randomLlama(change, { seed: 9 });
    const expected = await plainLogits(source, tokens);
    let seen = 0;
    await runFloat(source, [tokens], {
      logits({ position }, logits) {
        seen++;
        for (const [v, logit] of (expected[position] as number[]).entries())
          expect(logits[v], `${position}, ${v}`).toBeCloseTo(logit, 3);
      },
    });
    expect(seen).toBe(tokens.length);
  });

  it("reads each sequence from position 0", async () => {
    const source = randomLlama();
    const alone: number[][] = [];
    for (const sequence of [
      [1, 2, 3],
      [9, 8, 7, 6, 5],
    ]) {
      await runFloat(source, [sequence], { logits: (_, logits) => void alone.push([...logits]) });
    }
    const together: number[][] = [];
    await runFloat(
      source,
      [
        [1, 2, 3],
        [9, 8, 7, 6, 5],
      ],
      { logits: (_, logits) => void together.push([...logits]) },
    );
    expect(together).toEqual(alone);
  });

  it("refuses sizes that its vectors do not fit", async () => {
    await expect(runFloat(randomLlama({ ffn: 66 }), [[1]], {})).rejects.toMatchObject({
      code: "calibration.shape_unsupported",
    });
  });
});

describe("collectMaxima", () => {
  it("is the largest magnitude of every channel that the run shows", async () => {
    const source = randomLlama();
    const seen = new Map<string, Float32Array>();
    await runFloat(source, [tokens, [5, 4, 3]], {
      activations({ layer, name }: { layer: number; name: ActivationName }, values) {
        const channels = name === "key" || name === "value" ? 16 : ["gate", "up", "hidden"].includes(name) ? 64 : 32;
        const key = `${layer} ${name}`;
        const most = seen.get(key) ?? new Float32Array(channels);
        values.forEach((value, i) => {
          most[i % channels] = Math.max(most[i % channels] as number, Math.abs(value));
        });
        seen.set(key, most);
      },
    });
    const maxima = await collectMaxima(source, [tokens, [5, 4, 3]]);
    expect(maxima.tokens).toBe(73);
    for (const [layer, found] of maxima.layers.entries()) {
      for (const name of ["attentionIn", "query", "key", "value", "ffnIn", "up", "hidden"] as const) {
        expect(found[name], `${layer} ${name}`).toEqual(seen.get(`${layer} ${name}`));
      }
      expect(found.gate).toBe(Math.max(...(seen.get(`${layer} gate`) as Float32Array)));
    }
    expect(maxima.headIn).toEqual(seen.get("1 headIn"));
    expect(maxima.residual).toBe(
      Math.max(...(seen.get("0 residual") as Float32Array), ...(seen.get("1 residual") as Float32Array)),
    );
  });

  it("survives a file bit for bit, and another model's file is refused", async () => {
    const { shape } = randomLlama();
    const maxima = await collectMaxima(randomLlama(), [tokens]);
    const bytes = encodeMaxima(maxima, shape);
    expect(decodeMaxima(bytes, shape)).toEqual(maxima);
    expect(() => decodeMaxima(bytes, { ...shape, ffn: 60 })).toThrow(
      expect.objectContaining({ code: "calibration.maxima_size" }),
    );
  });
});

describe("knownMaxima", () => {
  const smol: LlamaShape = {
    ...{ layers: 30, width: 576, ffn: 1_536, heads: 9, kvHeads: 3, headSize: 64, vocabulary: 49_152 },
    ...{ context: 8_192, rotated: 64, ropeBase: 100_000, epsilon: 1e-5, isTied: true, hasRopeFactors: false },
  };

  it("holds those of the default model, read from the mixed text", async () => {
    const maxima = await knownMaxima(DEFAULT_MODEL.gguf.sha256, smol);
    expect(maxima?.tokens).toBeGreaterThan(4_000);
    expect(maxima?.layers).toHaveLength(30);
    expect(maxima?.residual).toBeGreaterThan(10_000);
    expect(maxima?.layers.every(({ hidden, value }) => [...hidden, ...value].every((one) => one > 0))).toBe(true);
  });

  it("knows nothing of other files", async () => {
    expect(await knownMaxima("00".repeat(32), smol)).toBeUndefined();
  });
});

describe("the calibration text", () => {
  it("is parts of text and conversations", () => {
    expect(
      parseCorpus(
        "=== code\nx = 1\n\ny\n=== chat\nsystem: Be brief.\nuser: Hi\nthere\nassistant: Hello: you\n=== prose\n",
      ),
    ).toEqual([
      { kind: "text", text: "x = 1\n\ny" },
      {
        kind: "chat",
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hi\nthere" },
          { role: "assistant", content: "Hello: you" },
        ],
      },
    ]);
    expect(parseCorpus("plain\n=====\ntext")).toEqual([{ kind: "text", text: "plain\n=====\ntext" }]);
  });

  it("is refused when it is empty or a conversation starts with nobody", () => {
    expect(() => parseCorpus(" \n")).toThrow(expect.objectContaining({ code: "calibration.empty" }));
    expect(() => parseCorpus("=== chat\nhello")).toThrow(expect.objectContaining({ code: "calibration.chat" }));
  });

  const chat = parseCorpus("=== chat\nuser: the fox\nassistant: jumps");
  const template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

  it("is rendered by the model's template, with its control tokens", () => {
    const tokenizer = openTokenizer(smallByteTokenizer());
    const [tokens] = corpusTokens(chat, { tokenizer, template });
    expect(tokenizer.decode(tokens as number[], { special: true })).toBe(
      "<|im_start|>user\nthe fox<|im_end|>\n<|im_start|>assistant\njumps<|im_end|>\n",
    );
    expect(tokens?.filter((token) => tokenizer.control.has(token))).toHaveLength(4);
  });

  it.each([
    { what: "has no template", template: undefined },
    { what: "has one that refuses", template: "{{ raise_exception('no') }}" },
  ])("is read as plain text where the model $what", ({ template }) => {
    const tokenizer = openTokenizer(smallByteTokenizer());
    const [tokens] = corpusTokens(chat, { tokenizer, template });
    expect(tokenizer.decode(tokens as number[], { special: true })).toBe("user: the fox\nassistant: jumps");
  });

  it("is cut into sequences, the first with the token that starts a text where the model wants one", () => {
    const tokenizer = openTokenizer(smallSentencePiece());
    const sequences = corpusTokens(parseCorpus("the quick brown fox jumps over the dogs"), { tokenizer, length: 5 });
    expect(sequences.every(({ length }, i) => length === 5 || i === sequences.length - 1)).toBe(true);
    expect(sequences[0]?.[0]).toBe(tokenizer.bos);
    expect(tokenizer.decode(sequences.flat()).trim()).toBe("the quick brown fox jumps over the dogs");
  });

  it("of this package mixes prose, code, questions, languages and conversations", async () => {
    const parts = await mixedCorpus();
    expect(parts.filter(({ kind }) => kind === "chat").length).toBeGreaterThanOrEqual(4);
    const text = parts.map((part) => (part.kind === "text" ? part.text : "")).join("\n");
    for (const piece of ["def ", "Question:", "niemand", "#include", "fog"]) expect(text).toContain(piece);
  });
});

describe("evaluate", () => {
  it("compares what both arithmetics predict and counts what saturates", async () => {
    const source = randomLlama({}, { sharpness: 3 });
    const tiny = await converted(source);
    const engine = await tiny.open(openReference);
    const program = llamaProgram(tiny.configuration);
    const sequences = [
      [7, 33, 12, 5, 60],
      [1, 2, 3],
    ];
    const found = await evaluate({ source, engine, program, sequences });
    expect(found.predictions).toBe(6);
    expect(found.change).toBeCloseTo(found.integerPerplexity / found.floatPerplexity - 1, 9);

    // the same by hand
    let loss = 0;
    let saturated = 0;
    for (const tokens of sequences) {
      const session = engine.open({ request: [new Uint8Array(4 * 32), new Uint8Array(64)] });
      const key = program.activations.filter(({ name }) => name === "key").map(({ fold }) => fold);
      const want = [program.logits, ...key].map(({ stage, fold }) => ({ stage, fold, steps: "all" as const }));
      const [logits, ...keys] =
        engine.advance([{ session, steps: tokens.length, claimed: [tokenBytes(tokens)], want }])[0] ?? [];
      const values = tokensOf(logits as Uint8Array).map((logit) => logit / 65_536);
      for (let t = 0; t + 1 < tokens.length; t++) {
        const row = values.slice(64 * t, 64 * (t + 1));
        loss +=
          Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - (row[tokens[t + 1] as number] as number);
      }
      for (const bytes of keys)
        saturated += [...new Int16Array(bytes.slice().buffer)].filter((key) => Math.abs(key) === 2_047).length;
    }
    expect(found.integerPerplexity).toBeCloseTo(Math.exp(loss / 6), 9);
    expect(found.saturation.key).toEqual({ saturated, of: 8 * 2 * 16 });
    expect(found.saturation.residual.of).toBe(8 * 4 * 32);
    expect(found.divergence).toBeGreaterThan(0);
    expect(found.topAgreement).toBeGreaterThanOrEqual(0.5);
  });
});
