import { i16x8, i32, i32x4, type Local, type Locals, local, loopWhileBelow, v128 } from "../asm.ts";

type Address = Local<"i32">;
type Vector = Local<"v128">;

/** Sums of a few rows of activations with a few panels, held in locals while all columns pass by. */
export type Tile = {
  /** By row: addresses of its next two activations, and their broadcast. */
  rows: Address[];
  activations: Vector[];
  /** Addresses of the panels' next steps. */
  panels: Address[];
  /** By row and panel: sums of the panel's low and high rows. While they are summed, `low` holds `low + 256 * high`. */
  sums: { low: Vector; high: Vector }[][];
  weights: Vector;
};

/** Columns of a turn: rows of the matrix have a multiple of them. */
const TURN = 8;

export const newTile = (locals: Locals, rows: number, panels: number): Tile => ({
  rows: Array.from({ length: rows }, () => locals.i32()),
  activations: Array.from({ length: rows }, () => locals.v128()),
  panels: Array.from({ length: panels }, () => locals.i32()),
  sums: Array.from({ length: rows }, () =>
    Array.from({ length: panels }, () => ({ low: locals.v128(), high: locals.v128() })),
  ),
  weights: locals.v128(),
});

/** Sums from the present addresses until the first row's reaches `end`. Rows and panels advance; sums must be set before. */
export function emitSums({ rows, activations, panels, sums, weights }: Tile, end: Address): void {
  const [first, ...others] = rows as [Address, ...Address[]];
  loopWhileBelow(first, end, TURN * 2, () => {
    for (let step = 0; step < TURN / 2; step++) {
      rows.forEach((row, m) => {
        v128.load32_splat({ offset: step * 4, align: 1 }, row);
        local.set(activations[m] as Vector);
      });
      panels.forEach((panel, p) => {
        v128.load({ offset: step * 16 }, panel);
        local.set(weights);
        for (const half of ["low", "high"] as const) {
          if (half === "high") {
            i16x8.shr_s(weights, 8);
            local.set(weights);
          }
          rows.forEach((_, m) => {
            const sum = sums[m]?.[p]?.[half] as Vector;
            local.get(weights);
            local.get(activations[m] as Vector);
            i32x4.dot_i16x8_s();
            local.get(sum);
            i32x4.add();
            local.set(sum);
          });
        }
      });
    }
    for (const panel of panels) local.set(panel, i32.add(panel, TURN * 8));
    for (const row of others) local.set(row, i32.add(row, TURN * 2));
  });
}

/** Stores the sums of one row and panel, eight i32. */
export function storeSums({ low, high }: { low: Vector; high: Vector }, out: Address): void {
  local.get(out);
  local.get(low);
  i32x4.shl(high, 8);
  i32x4.sub();
  v128.store({});
  v128.store({ offset: 16 }, out, high);
}
