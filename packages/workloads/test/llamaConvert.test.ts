import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runFloat } from "../src/calibration/floatModel.ts";
import { convertLlama } from "../src/llama/convert.ts";
import { llamaConstants } from "../src/llama/layout.ts";
import type { LlamaMaxima } from "../src/llama/maxima.ts";
import { floorLog2, powerOfTwo, quantiseLinear } from "../src/llama/quantise.ts";
import type { LlamaSource } from "../src/llama/source.ts";
import { converted, generator, randomLlama, tinyShape } from "./support/tinyLlama.ts";

/** Magnitudes that no float arithmetic made: the conversion alone decides the bytes. */
function plainMaxima(): LlamaMaxima {
  const { layers, width, ffn, heads, kvHeads, headSize } = tinyShape;
  const random = generator(3);
  const some = (length: number) => Float32Array.from({ length }, () => 0.5 + 4 * random());
  return {
    tokens: 1,
    residual: 20,
    headIn: some(width),
    layers: Array.from({ length: layers }, () => ({
      attentionIn: some(width),
      query: some(heads * headSize),
      key: some(kvHeads * headSize),
      value: some(kvHeads * headSize),
      ffnIn: some(width),
      up: some(ffn),
      hidden: some(ffn),
      gate: 6,
    })),
  };
}

async function digestOf(source: LlamaSource): Promise<string> {
  const hash = createHash("sha256");
  const write = ({ bytes }: { bytes: Uint8Array }) => void hash.update(bytes);
  const configuration = await convertLlama(source, plainMaxima(), { maxT: 16, stopIds: [2], write });
  return hash.update(JSON.stringify(configuration)).digest("hex");
}

const refusal = async (conversion: Promise<unknown>) =>
  conversion.then(
    () => "converted",
    (error) => error.code,
  );

describe("convertLlama", () => {
  it("gives the bytes that every machine gives", async () => {
    expect(await digestOf(randomLlama())).toBe("563a8ae29673257c569bc3693ff6c01c1e26e6e95132f87cba082cc890cbb78a");
    expect(await digestOf(randomLlama({ isTied: false }))).toBe(
      "4a3c8dbc13cc8904fa75d2a3646783c7fab072c4200a26b38d44a21436826e15",
    );
  });

  it("uses no function of floats that two machines may round differently", () => {
    const folders = ["../src/llama/", "../src/exact/", "../src/simulations/"].map(
      (path) => new URL(path, import.meta.url),
    );
    for (const folder of folders) {
      for (const file of readdirSync(folder).filter((name) => name !== "closedForm.ts")) {
        const code = readFileSync(new URL(file, folder), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
        const found =
          code.match(
            /Math\.(pow|exp|log|log2|log10|log1p|expm1|sin|cos|tan|a?sinh?|a?cosh?|a?tanh?2?|cbrt|hypot)\b|\*\*(?! ?\d)/g,
          ) ?? [];
        expect(found, file).toEqual([]);
      }
    }
  });

  it("writes every constant once, in order, with its declared size", async () => {
    const source = randomLlama({ isTied: false });
    const sizes = { ...source.shape, maxT: 16, layers: { length: source.shape.layers } };
    const written: [string, number][] = [];
    await convertLlama(source, plainMaxima(), {
      maxT: 16,
      stopIds: [],
      write: ({ index, name, bytes }) => {
        expect(index).toBe(written.length);
        written.push([name, bytes.length]);
      },
    });
    const width = { i8: 1, i16: 2, i32: 4, i64: 8 };
    const expected = [...llamaConstants(sizes)].map(([name, { type, rows, cols }]) => [
      name,
      width[type] * rows * cols,
    ]);
    expect(written).toEqual(expected);
  });

  it.each([
    {
      what: "a head size that is no power of two",
      change: { headSize: 12, heads: 4, kvHeads: 2 },
      code: "llama.shape_unsupported",
    },
    { what: "key heads that do not divide the heads", change: { kvHeads: 3 }, code: "llama.shape_unsupported" },
    { what: "a longer job than the model was trained for", change: { context: 8 }, code: "llama.shape_unsupported" },
    { what: "maxima of another model", change: { layers: 1 }, code: "llama.maxima_mismatch" },
    { what: "maxima of other sizes", change: { ffn: 32 }, code: "llama.maxima_mismatch" },
  ])("refuses $what", async ({ change, code }) => {
    const conversion = convertLlama(randomLlama(change), plainMaxima(), { maxT: 16, stopIds: [], write: () => {} });
    expect(await refusal(conversion)).toBe(code);
  });

  it.each([
    {
      what: "gates beyond the sigmoid's table",
      change: (maxima: LlamaMaxima) => Object.assign(maxima.layers[1] ?? {}, { gate: 1_025 }),
    },
    {
      what: "a residual stream that no fraction fits",
      change: (maxima: LlamaMaxima) => Object.assign(maxima, { residual: 1e8 }),
    },
  ])("refuses $what", async ({ change }) => {
    const maxima = plainMaxima();
    change(maxima);
    const conversion = convertLlama(randomLlama(), maxima, { maxT: 16, stopIds: [], write: () => {} });
    expect(await refusal(conversion)).toBe("llama.out_of_range");
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses a weight of %f", async (weight) => {
    const source = randomLlama();
    const broken: LlamaSource = {
      shape: source.shape,
      read: async (tensor) => {
        const values = await source.read(tensor);
        if (typeof tensor === "object" && tensor.name === "down") values[5] = weight;
        return values;
      },
    };
    const conversion = convertLlama(broken, plainMaxima(), { maxT: 16, stopIds: [], write: () => {} });
    expect(await refusal(conversion)).toBe("llama.out_of_range");
  });
});

describe("quantiseLinear", () => {
  it("is within half a step of every weight", () => {
    const weight = fc.float({ min: -8, max: 8, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 12, maxLength: 12 }),
        fc.float({ min: 1, max: 512, noNaN: true }),
        (values, unit) => {
          const columns = Float64Array.of(1, 0.5, 2, 1);
          const { matrix, scale, shift } = quantiseLinear(Float32Array.from(values), {
            name: "w",
            columns,
            unit: () => unit,
          });
          for (const [at, value] of Float32Array.from(values).entries()) {
            const step = (scale[Math.floor(at / 4)] as number) / powerOfTwo(shift) / unit;
            const real = value * (columns[at % 4] as number);
            expect(Math.abs((matrix[at] as number) * step - real)).toBeLessThanOrEqual(step * 0.5000001);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("finds floor(log2) at and around powers of two", () => {
    for (let n = -30; n <= 30; n++) {
      const power = powerOfTwo(n);
      expect([floorLog2(power), floorLog2(power * 1.999), floorLog2(power * 0.999)]).toEqual([n, n, n - 1]);
    }
  });
});

describe("the integer model", () => {
  it.each([{ isTied: true }, { isTied: false }])("follows the float model, tied: $isTied", async ({ isTied }) => {
    const { openReference } = await import("@foldmark/machine");
    const source = randomLlama({ isTied }, { sharpness: 2 });
    const model = await converted(source);
    const engine = await model.open(openReference);
    const tokens = [7, 12, 60, 3, 33, 21, 8, 54];
    const session = engine.open({ request: [new Uint8Array(4 * 32), new Uint8Array(64)] });
    const stage = (model.model.answers[0]?.stage ?? 0) - 2;
    const claimed = [new Uint8Array(Int32Array.from(tokens).buffer)];
    const [result] = engine.advance([
      { session, steps: tokens.length, claimed, want: [{ stage, fold: 0, steps: "all" }] },
    ]);
    const integer = new Int32Array((result?.[0] ?? new Uint8Array()).slice().buffer);
    const float: number[] = [];
    await runFloat(source, [tokens], { logits: (_, logits) => void float.push(...logits) });
    expect(integer.length).toBe(float.length);
    const squares = (values: number[]) => values.reduce((sum, value) => sum + value * value, 0);
    const error = squares(float.map((logit, i) => logit - (integer[i] as number) / 65_536)) / squares(float);
    expect(error).toBeLessThan(0.01); // random weights have no outliers to save, so a tenth of the logits' size
  });
});
