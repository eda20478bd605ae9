import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { programBuilder, size } from "../../src/index.ts";
import { openWasmWith } from "../../src/wasm/index.ts";

const MOST = 130;
const ENDS = { i8: [-128, 127], i16: [-32_768, 32_767], i32: [-(2 ** 31), 2 ** 31 - 1] } as const;

/** The argmax of the first t + 1 of some elements, for every t. */
async function argmaxes(type: keyof typeof ENDS, elements: number[]): Promise<number[]> {
  const p = programBuilder({ maxT: MOST });
  const given = p.request({ type: "i32", rows: 1, cols: MOST });
  const x = p.fold({ type, cols: size.history }, ({ c }) => given.at(0, c));
  const top = p.argmax({ axis: size.history }, ({ t, k }) => x.at(t, 0, k));
  p.fold({ type: "i8" }, () => 1);
  const engine = await openWasmWith(p.build(), () => new Uint8Array(), {});
  const bytes = new Uint8Array(Int32Array.from({ length: MOST }, (_, at) => elements[at] ?? 0).buffer);
  const want = [{ stage: top.stage, fold: 0, steps: "all" as const }];
  const [result = new Uint8Array()] = engine.run({ T: elements.length, request: [bytes], claimed: [], want });
  engine.close();
  return [...new Int32Array(result.slice().buffer)];
}

const firstGreatest = (elements: number[]) => elements.indexOf(elements.reduce((a, b) => Math.max(a, b)));

describe("the argmax of neighbouring elements", () => {
  it.each(["i8", "i16", "i32"] as const)("is where the greatest %s stands first, at every length", async (type) => {
    const [least, greatest] = ENDS[type];
    const element = fc.constantFrom(least, least + 1, -1, 0, 1, greatest - 1, greatest);
    const same = fc.constantFrom(least, 0, greatest).chain((value) => fc.array(fc.constant(value), { maxLength: 70 }));
    const lists = fc.tuple(same, fc.array(element, { minLength: 1, maxLength: 50 })).map((parts) => parts.flat());
    await fc.assert(
      fc.asyncProperty(lists, async (elements) => {
        const expected = elements.map((_, t) => firstGreatest(elements.slice(0, t + 1)));
        expect(await argmaxes(type, elements)).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });
});
