import {
  type AsmFunction,
  forLoop,
  i8x16,
  i16x8,
  i32,
  i32x4,
  type Local,
  type Locals,
  local,
  select,
  v128,
} from "../asm.ts";
import { defineKernel } from "./kernel.ts";
import { PANEL_ROWS } from "./panels.ts";

type Address = Local<"i32">;
type Vector = Local<"v128">;
/** Eight rows, or what has become of them. */
export type Eight = [Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector];

/** What a form writes of eight rows of the matrix. */
export type PanelWriter = {
  start(): void;
  /** Eight columns of the rows, in the low halves of vectors that may be overwritten: 64 bytes from `at`. */
  columns(weights: Eight, at: Address): void;
  /** What follows the columns, from `at`. */
  end(at: Address): void;
};

/** The kernel `packPanels` of a form. */
export const definePacking = (writerOf: (locals: Locals) => PanelWriter): AsmFunction =>
  defineKernel(
    ["source", "rows", "columns", "target", "panels", "panelBytes"],
    ["i32"],
    ({ source, rows, columns, target, panels, panelBytes }, locals) => {
      const [panel, row, k, at, largest, norm] = [
        locals.i32(),
        locals.i32(),
        locals.i32(),
        locals.i32(),
        locals.i32(),
        locals.i32(),
      ];
      const starts = Array.from({ length: PANEL_ROWS }, () => locals.i32());
      const norms = starts.map(() => locals.v128());
      const weights = starts.map(() => locals.v128()) as Eight;
      const inside = locals.v128();
      const writer = writerOf(locals);

      forLoop(panel, panels, 1, () => {
        starts.forEach((start, n) => {
          // padding repeats the last row
          i32.shl(panel, 3);
          i32.const(n);
          i32.add();
          local.tee(row);
          i32.sub(rows, 1);
          i32.lt_u(row, rows);
          select();
          local.get(columns);
          i32.mul();
          local.get(source);
          i32.add();
          local.set(start);
          clear(norms[n] as Vector);
        });
        i32.mul(panel, panelBytes);
        local.get(target);
        i32.add();
        local.set(at);
        writer.start();
        forLoop(k, columns, 8, () => {
          // of eight columns those that there are: the others are the next row's
          i32.sub(columns, k);
          i32.const(8);
          i32.sub(columns, k);
          i32.const(8);
          i32.lt_u();
          select();
          i8x16.splat();
          local.set(inside);
          v128.const("i8x16", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
          local.get(inside);
          i8x16.lt_u();
          local.set(inside);
          starts.forEach((start, n) => {
            const [weight, sum] = [weights[n] as Vector, norms[n] as Vector];
            i32.add(start, k);
            v128.load64_zero({ align: 1 });
            local.get(inside);
            v128.and();
            local.tee(weight);
            i8x16.abs();
            i16x8.extadd_pairwise_i8x16_u();
            i32x4.extadd_pairwise_i16x8_u();
            local.get(sum);
            i32x4.add();
            local.set(sum);
          });
          writer.columns(weights, at);
          local.set(at, i32.add(at, 64));
        });
        writer.end(at);
        for (const sum of norms) {
          i32x4.extract_lane(0, sum);
          i32x4.extract_lane(1, sum);
          i32.add();
          local.set(norm);
          local.get(norm);
          local.get(largest);
          i32.lt_u(largest, norm);
          select();
          local.set(largest);
        }
      });
      local.get(largest);
    },
  );

export function clear(vector: Vector): void {
  v128.const("i32x4", [0, 0, 0, 0]);
  local.set(vector);
}

const LOW_WORDS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const HIGH_WORDS = LOW_WORDS.map((byte) => byte + 8);
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH_HALVES = LOW_HALVES.map((byte) => byte + 8);

/** Pushes bytes of two vectors, by their numbers among the 32. */
export function shuffle(a: Vector, b: Vector, bytes: readonly number[]): void {
  local.get(a);
  local.get(b);
  i8x16.shuffle([...bytes] as Parameters<typeof i8x16.shuffle>[0]);
}

/** Vector j of the result has 32-bit word j of each of four vectors. As many results as there are in `into`. */
export function transpose(
  [a, b, c, d]: readonly [Vector, Vector, Vector, Vector],
  into: readonly Vector[],
  { spare: [left, right] }: { spare: readonly [Vector, Vector] },
): void {
  for (const [words, first] of [
    [LOW_WORDS, 0],
    [HIGH_WORDS, 2],
  ] as const) {
    const [even, odd] = [into[first], into[first + 1]];
    if (even === undefined || odd === undefined) return;
    shuffle(a, b, words);
    local.set(left);
    shuffle(c, d, words);
    local.set(right);
    shuffle(left, right, LOW_HALVES);
    local.set(even);
    shuffle(left, right, HIGH_HALVES);
    local.set(odd);
  }
}
