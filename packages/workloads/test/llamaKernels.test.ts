import { openWasmWith } from "@foldmark/machine";
import { expect, it } from "vitest";
import { converted, randomLlama } from "./support/tinyLlama.ts";

it.each([
  { what: "the smallest, one head a key", change: { heads: 2, kvHeads: 2, headSize: 8, width: 16, ffn: 20 } },
  { what: "one head in all, untied", change: { heads: 1, kvHeads: 1, headSize: 16, isTied: false } },
  { what: "three heads a key, untied", change: { heads: 3, kvHeads: 1, headSize: 64, isTied: false } },
  { what: "four heads a key, tied", change: { heads: 8, kvHeads: 2, headSize: 16, vocabulary: 131 } },
])("no fold of a Llama is a loop of scalars: $what", async ({ change }) => {
  const source = randomLlama({ ...change, rotated: change.headSize });
  const { model, constants } = await converted(source);
  const engine = await openWasmWith(model.program, (index) => constants[index] ?? new Uint8Array(), {});
  const folds = engine.explain().map(({ class: kind, kernel }) => `${kind}: ${kernel}`);
  expect(folds.filter((fold) => fold.startsWith("generic"))).toEqual([]);
  expect(folds.filter((fold) => fold.startsWith("scalar"))).toEqual([folds.at(-1)]);
  expect(folds).toContain("vector: vector, argmax");
  engine.close();
});
