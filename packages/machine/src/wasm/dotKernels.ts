import {
  type AsmFunction,
  defineFunction,
  forLoop,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64x2,
  if_,
  type Local,
  type Locals,
  local,
  loopWhileBelow,
  select,
  v128,
} from "./asm.ts";

/**
 * Products of i16 rows with a constant i8 matrix `[N x K]`, packed by `packPanels` into panels of eight rows:
 * `[N / 8][K / 2][8][2]`, rows padded with zeros to a multiple of 16 and columns to a multiple of 4. A lane belongs to one
 * row of the matrix; two neighbouring activations are broadcast to all lanes, so no sum across lanes is needed.
 */
export const paddedRows = (rows: number): number => Math.ceil(rows / 16) * 16;
export const paddedColumns = (columns: number): number => Math.ceil(columns / 4) * 4;

type Address = Local<"i32">;
type Vector = Local<"v128">;

/**
 * Accumulates `rows.length x panels.length` tiles over all column pairs. `rows` and `panels` are addresses of the first
 * pair; they advance by a whole row or panel. Four columns are taken a turn.
 */
function emitTile(locals: Locals, rows: Address[], end: Address, panels: Address[], sums: Vector[][]): void {
  const activations = rows.map(() => locals.v128());
  const [weights] = [locals.v128()];
  for (const row of sums)
    for (const sum of row) {
      v128.const("i32x4", [0, 0, 0, 0]);
      local.set(sum);
    }
  const first = rows[0] as Address;
  loopWhileBelowAddress(first, end, () => {
    for (const pair of [0, 1]) {
      rows.forEach((row, m) => {
        v128.load32_splat({ offset: pair * 4 }, row);
        local.set(activations[m] as Vector);
      });
      panels.forEach((panel, p) => {
        for (const half of [0, 1]) {
          v128.load8x8_s({ offset: pair * 16 + half * 8 }, panel);
          if (rows.length > 1) local.set(weights);
          rows.forEach((_, m) => {
            const sum = sums[m]?.[p * 2 + half] as Vector;
            if (rows.length > 1) local.get(weights);
            local.get(activations[m] as Vector);
            i32x4.dot_i16x8_s();
            local.get(sum);
            i32x4.add();
            local.set(sum);
          });
        }
      });
    }
    for (const panel of panels) local.set(panel, i32.add(panel, 32));
    for (const row of rows) local.set(row, i32.add(row, 8));
  });
}

/** The caller's addresses are advanced inside `body`; the first of them decides when to stop. */
function loopWhileBelowAddress(address: Address, end: Address, body: () => void): void {
  loopWhileBelow(address, end, 0, body);
}

const sumsFor = (locals: Locals, rows: number, panels: number): Vector[][] =>
  Array.from({ length: rows }, () => Array.from({ length: panels * 2 }, () => locals.v128()));

function storeSums(sums: Vector[], out: Address, offset = 0): void {
  sums.forEach((sum, at) => {
    local.get(out);
    local.get(sum);
    v128.store({ offset: offset + at * 16 });
  });
}

/**
 * `out[n] = sum over k of x[k] * W[n, k]` for one row. The panels are read as four sequential streams, a quarter of the
 * matrix each: one stream alone leaves half of the memory bandwidth unused.
 * Arguments: weights, panels (even), bytes of a panel, address of x, bytes of x to read, out.
 */
export const dotOneRow: AsmFunction = defineFunction(
  { in: ["i32", "i32", "i32", "i32", "i32", "i32"], out: [] },
  (args, locals) => {
    const [weights, panels, panelBytes, x, xBytes, out] = args as Address[] as [
      Address,
      Address,
      Address,
      Address,
      Address,
      Address,
    ];
    const [quarter, turn, end, row, outQuarter] = [
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
    ];
    const streams = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const outs = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    local.set(end, i32.add(x, xBytes));
    local.set(quarter, i32.shr_u(panels, 2));
    local.set(outQuarter, i32.shl(quarter, 5));
    streams.forEach((stream, at) => {
      i32.mul(quarter, panelBytes);
      i32.const(at);
      i32.mul();
      local.get(weights);
      i32.add();
      local.set(stream);
      i32.mul(outQuarter, at);
      local.get(out);
      i32.add();
      local.set(outs[at] as Address);
    });
    const sums = sumsFor(locals, 1, 4);
    forLoop(turn, quarter, 1, () => {
      local.set(row, x);
      emitTile(locals, [row], end, streams, sums);
      outs.forEach((address, at) => {
        storeSums((sums[0] as Vector[]).slice(at * 2, at * 2 + 2), address);
        local.set(address, i32.add(address, 32));
      });
    });
    // what four streams leave over: none or one pair of panels, where the last stream has stopped
    const [last, next] = [streams[3] as Address, streams[0] as Address];
    local.set(turn, i32.shl(quarter, 2));
    i32.lt_u(turn, panels);
    const tail = sumsFor(locals, 1, 2);
    if_(null, () => {
      local.set(next, i32.add(last, panelBytes));
      local.set(row, x);
      emitTile(locals, [row], end, [last, next], tail);
      storeSums(tail[0] as Vector[], outs[3] as Address);
    });
  },
);

/**
 * The same for several rows: a pair of panels, one of each half of the matrix so that memory is read as two streams, stays
 * in the first cache while all rows pass by, two at a time.
 * Arguments: weights, panels (even), bytes of a panel, table of row addresses (u32 each), bytes from there to the first
 * column, bytes of a row to read, rows, out, bytes between rows of out.
 */
export const dotRows: AsmFunction = defineFunction(
  { in: ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"], out: [] },
  (args, locals) => {
    const [weights, panels, panelBytes, table, skip, rowBytes, rows, out, outBytes] = args as Address[] as [
      Address,
      Address,
      Address,
      Address,
      Address,
      Address,
      Address,
      Address,
      Address,
    ];
    const [panel, m, even, entry, end, target] = [
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
    ];
    const [first, second, left, right] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [half, halfBytes, halfOut, upper] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const two = sumsFor(locals, 2, 2);
    const one = sumsFor(locals, 1, 2);
    const loadRow = (into: Address, offset: number) => {
      i32.load({ offset }, entry);
      local.get(skip);
      i32.add();
      local.set(into);
    };
    const startPanels = () => {
      local.set(left, weights);
      local.set(right, i32.add(weights, halfBytes));
    };
    const storeRow = (sums: Vector[]) => {
      storeSums(sums.slice(0, 2), target);
      i32.add(target, halfOut);
      local.set(upper);
      storeSums(sums.slice(2), upper);
    };
    local.set(even, i32.and(rows, -2));
    local.set(half, i32.shr_u(panels, 1));
    local.set(halfBytes, i32.mul(half, panelBytes));
    local.set(halfOut, i32.shl(half, 5));
    forLoop(panel, half, 1, () => {
      local.set(entry, table);
      local.set(target, out);
      forLoop(m, even, 2, () => {
        loadRow(first, 0);
        loadRow(second, 4);
        local.set(end, i32.add(first, rowBytes));
        startPanels();
        emitTile(locals, [first, second], end, [left, right], two);
        storeRow(two[0] as Vector[]);
        local.set(target, i32.add(target, outBytes));
        storeRow(two[1] as Vector[]);
        local.set(target, i32.add(target, outBytes));
        local.set(entry, i32.add(entry, 8));
      });
      i32.lt_u(even, rows);
      if_(null, () => {
        loadRow(first, 0);
        local.set(end, i32.add(first, rowBytes));
        startPanels();
        emitTile(locals, [first], end, [left, right], one);
        storeRow(one[0] as Vector[]);
      });
      local.set(weights, i32.add(weights, panelBytes));
      local.set(out, i32.add(out, 32));
    });
  },
);

/**
 * Packs an i8 matrix `[rows x columns]` into zeroed panels and returns the largest sum of absolute values of a row: with
 * the bound of the activations it bounds every accumulator. Arguments: source, rows, columns, target, bytes of a panel.
 */
export const packPanels: AsmFunction = defineFunction(
  { in: ["i32", "i32", "i32", "i32", "i32"], out: ["i32"] },
  (args, locals) => {
    const [source, rows, columns, target, panelBytes] = args as Address[] as [
      Address,
      Address,
      Address,
      Address,
      Address,
    ];
    const [n, k, base, norm, largest, value, whole] = [
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
    ];
    const sum = locals.v128();
    local.set(whole, i32.and(columns, -16));
    forLoop(n, rows, 1, () => {
      i32.shr_u(n, 3);
      local.get(panelBytes);
      i32.mul();
      i32.and(n, 7);
      i32.const(1);
      i32.shl();
      i32.add();
      local.get(target);
      i32.add();
      local.set(base);
      local.set(norm, i32.const(0));
      v128.const("i32x4", [0, 0, 0, 0]);
      local.set(sum);
      forLoop(k, whole, 16, () => {
        i32.add(source, k);
        v128.load({ align: 1 });
        i8x16.abs();
        i16x8.extadd_pairwise_i8x16_u();
        i32x4.extadd_pairwise_i16x8_u();
        local.get(sum);
        i32x4.add();
        local.set(sum);
      });
      for (const lane of [0, 1, 2, 3] as const) {
        local.get(norm);
        i32x4.extract_lane(lane, sum);
        i32.add();
        local.set(norm);
      }
      forLoop(k, columns, 2, () => {
        i32.shl(k, 3);
        local.get(base);
        i32.add();
        i32.add(source, k);
        i32.load16_u({ align: 1 });
        local.tee(value);
        i32.store16({ align: 1 });
      });
      i32.and(columns, 1);
      if_(null, () => {
        // the pair of the last odd column brought a byte of the next row with it
        i32.sub(columns, 1);
        i32.const(3);
        i32.shl();
        local.get(base);
        i32.add();
        i32.const(0);
        i32.store8({ offset: 1 });
      });
      local.set(k, whole);
      loopWhileBelow(k, columns, 1, () => {
        i32.add(source, k);
        i32.load8_s({});
        local.set(value);
        i32.const(0);
        local.get(value);
        i32.sub();
        local.get(value);
        i32.lt_s(value, 0);
        select();
        local.get(norm);
        i32.add();
        local.set(norm);
      });
      local.get(norm);
      local.get(largest);
      i32.lt_u(largest, norm);
      select();
      local.set(largest);
      local.set(source, i32.add(source, columns));
    });
    local.get(largest);
  },
);

/** Widens `count` i8 to i16. Arguments: source, target, count; both may be read and written up to 7 elements beyond. */
export const widenRow: AsmFunction = defineFunction({ in: ["i32", "i32", "i32"], out: [] }, (args, locals) => {
  const [source, target, count] = args as Address[] as [Address, Address, Address];
  const at = locals.i32();
  forLoop(at, count, 8, () => {
    i32.shl(at, 1);
    local.get(target);
    i32.add();
    i32.add(source, at);
    v128.load8x8_s({ align: 1 });
    v128.store({ align: 1 });
  });
});

/** Adds `count` i32 (a multiple of 4) to i64 sums. Arguments: source, target, count. */
export const widenSums: AsmFunction = defineFunction({ in: ["i32", "i32", "i32"], out: [] }, (args, locals) => {
  const [source, target, count] = args as Address[] as [Address, Address, Address];
  const at = locals.i32();
  const address = locals.i32();
  forLoop(at, count, 2, () => {
    i32.shl(at, 3);
    local.get(target);
    i32.add();
    local.tee(address);
    i32.shl(at, 2);
    local.get(source);
    i32.add();
    v128.load32x2_s({ align: 1 });
    local.get(address);
    v128.load({ align: 1 });
    i64x2.add();
    v128.store({ align: 1 });
  });
});
