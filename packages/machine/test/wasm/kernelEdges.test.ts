import fc from "fast-check";
import { expect, it } from "vitest";
import type { Engine, Want } from "../../src/engine.ts";
import { openReference, type Program } from "../../src/index.ts";
import { choicesOf } from "../../src/testing/choices.ts";
import { randomBytes } from "../../src/testing/randomBytes.ts";
import { openWasm } from "../../src/wasm/index.ts";
import { tinyTransformer } from "./tinyTransformer.ts";

/** Around the sizes at which lanes, tiles, panels and blocks end. */
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33];
const LENGTHS = [1, 3, 4, 5, 8, 15, 16, 17, 63, 64, 65, 67];
/** Multiplications that the reference does in one case. */
const MOST_WORK = 400_000;

const shapes = fc
  .record({
    width: fc.constantFrom(...SIZES),
    kvHeads: fc.constantFrom(1, 2),
    group: fc.constantFrom(1, 3, 4),
    headSize: fc.constantFrom(1, 2, 3, 8, 9, 16, 64),
    vocabulary: fc.constantFrom(...SIZES, 66),
    T: fc.constantFrom(...LENGTHS),
  })
  .filter(({ width, kvHeads, group, headSize, vocabulary, T }) => {
    const heads = kvHeads * group * headSize;
    return T * (width * (2 * heads + 2 * kvHeads * headSize + vocabulary) + heads * T) <= MOST_WORK;
  });

it("has the reference's bits in every fold at the edges of its kernels, in one piece and in others", () =>
  fc.assert(
    fc.asyncProperty(
      shapes,
      fc.gen(),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 4, maxLength: 4 }),
      async ({ T, kvHeads, group, ...shape }, draw, pieces) => {
        const { program } = tinyTransformer({ ...shape, group, heads: kvHeads * group, maxT: 70, layers: 1 });
        const choices = choicesOf(draw);
        const constants = program.constants.map(({ type, rows, cols }) => randomBytes(choices, type, rows * cols));
        const source = (index: number) => constants[index] ?? new Uint8Array();
        const tokens = Int32Array.from({ length: T }, (_, t) => (t * 37 + 11) % shape.vocabulary);
        const wants = foldsBeforeLast(program);
        const expected = move(await openReference(program, source), { tokens, pieces: [T], wants });
        const wasm = await openWasm(program, source);
        for (const slices of [[T], pieces]) {
          const actual = move(wasm, { tokens, pieces: slices, wants });
          for (const [i, { stage }] of wants.entries())
            expect(Buffer.compare(actual[i] as Buffer, expected[i] as Buffer), `stage ${stage}`).toBe(0);
        }
        wasm.close();
      },
    ),
    { numRuns: 40 },
  ));

const foldsBeforeLast = ({ stages }: Program): Want[] =>
  stages.slice(0, -1).map((_, stage) => ({ stage, fold: 0, steps: "all" }));

/** Every element of every fold of a session that takes its tokens in these pieces, over and over. */
function move(
  engine: Engine,
  { tokens, pieces, wants }: { tokens: Int32Array<ArrayBuffer>; pieces: number[]; wants: Want[] },
): Buffer[] {
  const request = engine.program.requests.map(({ cols }) => new Uint8Array(cols * 4));
  const session = engine.open({ request });
  const seen: Uint8Array[][] = wants.map(() => []);
  for (let at = 0, piece = 0; at < tokens.length; piece++) {
    const taken = tokens.slice(at, at + (pieces[piece % pieces.length] ?? 1));
    const claimed = [new Uint8Array(taken.buffer)];
    const [result = []] = engine.advance([{ session, steps: taken.length, claimed, want: wants }]);
    for (const [i, bytes] of result.entries()) seen[i]?.push(bytes);
    at += taken.length;
  }
  session.close();
  return seen.map((parts) => Buffer.concat(parts));
}
