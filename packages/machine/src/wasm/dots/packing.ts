import { forLoop, i8x16, i16x8, i32, i32x4, type Local, local, select, v128 } from "../asm.ts";
import { defineKernel } from "./kernel.ts";
import { PANEL_ROWS, ZERO_LANE } from "./panels.ts";

type Vector = Local<"v128">;

const INTERLEAVED = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23] as const;
const LOW_WORDS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23] as const;
const HIGH_WORDS = LOW_WORDS.map((byte) => byte + 8);
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23] as const;
const HIGH_HALVES = LOW_HALVES.map((byte) => byte + 8);

/**
 * Packs an i8 matrix `[rows x columns]` into panels (`panels.ts`) and returns the largest sum of absolute values of a row:
 * with the bound of the activations it bounds every sum. Padding rows repeat the last row.
 * Arguments: source (`STAGING_SLACK` more bytes may be read), rows, columns, target, panels, bytes of a panel.
 */
export const packPanels = defineKernel(
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
    const weights = starts.map(() => locals.v128());
    const inside = locals.v128();
    const shuffled = (a: Vector, b: Vector, bytes: readonly number[], into: Vector) => {
      local.get(a);
      local.get(b);
      i8x16.shuffle([...bytes] as Parameters<typeof i8x16.shuffle>[0]);
      local.set(into);
    };

    forLoop(panel, panels, 1, () => {
      starts.forEach((start, n) => {
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
        v128.const("i32x4", [0, 0, 0, 0]);
        local.set(norms[n] as Vector);
      });
      i32.mul(panel, panelBytes);
      local.get(target);
      i32.add();
      local.set(at);
      forLoop(k, columns, 8, () => {
        // of eight columns, those that there are: the others are the next row's
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
        const [w0, w1, w2, w3, w4, w5, w6, w7] = weights as [
          Vector,
          Vector,
          Vector,
          Vector,
          Vector,
          Vector,
          Vector,
          Vector,
        ];
        // four steps of two columns for a pair of rows, then those of four pairs side by side
        shuffled(w0, w4, INTERLEAVED, w0);
        shuffled(w1, w5, INTERLEAVED, w1);
        shuffled(w2, w6, INTERLEAVED, w2);
        shuffled(w3, w7, INTERLEAVED, w3);
        shuffled(w0, w1, LOW_WORDS, w4);
        shuffled(w0, w1, HIGH_WORDS, w5);
        shuffled(w2, w3, LOW_WORDS, w6);
        shuffled(w2, w3, HIGH_WORDS, w7);
        shuffled(w4, w6, LOW_HALVES, w0);
        shuffled(w4, w6, HIGH_HALVES, w1);
        shuffled(w5, w7, LOW_HALVES, w2);
        shuffled(w5, w7, HIGH_HALVES, w3);
        [w0, w1, w2, w3].forEach((step, pair) => {
          local.get(at);
          local.get(step);
          i32.const(ZERO_LANE);
          i16x8.splat();
          v128.xor();
          v128.store({ offset: pair * 16 });
        });
        local.set(at, i32.add(at, 64));
      });
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
