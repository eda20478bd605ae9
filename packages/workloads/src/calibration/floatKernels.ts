import { br_if, f32, f32x4, func, i32, type Local, local, loop, Module, memory, v128 } from "wasmati";

export type MatmulShape = {
  rows: number;
  columns: number;
  inner: number;
  outStride: number;
  aStride: number;
  wStride: number;
};

/** Floats in one WebAssembly memory. Addresses are in bytes and multiples of 16. */
export type FloatKernels = {
  /** A fresh block of floats, zeroed. */
  allocate(floats: number): number;
  /** Frees everything that was allocated since `mark` was asked for. */
  mark(): number;
  release(mark: number): void;
  /** The floats at an address. Valid until the next `allocate`, which may move the memory. */
  view(address: number, floats: number): Float32Array;
  /**
   * out[i, j] = sum over k of a[i, k] * w[j, k]. Strides in floats; `rows` even, `columns` and `inner` multiples of 4.
   * The order of the additions is fixed, so two runs agree; it is not the order of any other program.
   */
  matmul(out: number, a: number, w: number, shape: MatmulShape): void;
};

const PAGE = 65_536;

export async function floatKernels(): Promise<FloatKernels> {
  const heap = memory({ min: 16 });
  const { instance } = await Module({ exports: { matmul, heap } }).instantiate();
  const { buffer } = { buffer: () => instance.exports.heap.buffer };
  let top = 16;
  return {
    allocate(floats) {
      const address = top;
      top += Math.ceil(floats / 4) * 16;
      const missing = top - buffer().byteLength;
      if (missing > 0) instance.exports.heap.grow(Math.ceil(missing / PAGE));
      new Float32Array(buffer(), address, (top - address) / 4).fill(0);
      return address;
    },
    mark: () => top,
    release(mark) {
      top = mark;
    },
    view: (address, floats) => new Float32Array(buffer(), address, floats),
    matmul(out, a, w, { rows, columns, inner, outStride, aStride, wStride }) {
      instance.exports.matmul(out, a, w, rows, columns, inner * 4, outStride * 4, aStride * 4, wStride * 4);
    },
  };
}

/** Two rows of `a` against four rows of `w` at a time, so that eight sums of four lanes stay in registers. */
const matmul = func(
  {
    in: [i32, i32, i32, i32, i32, i32, i32, i32, i32],
    locals: [i32, i32, i32, i32, i32, i32, ...vectors(2), ...vectors(1), ...vectors(8)],
    out: [],
  },
  ([out, a, w, rows, columns, innerBytes, outStride, aStride, wStride], [i, j, k, panel, cell, at, ...registers]) => {
    const [a0, a1, weights, ...sums] = registers as [Local<"v128">, Local<"v128">, Local<"v128">, ...Local<"v128">[]];
    const add = (variable: Local<"i32">, by: number | Local<"i32">) => local.set(variable, i32.add(variable, by));

    local.set(i, 0);
    loop(null, (nextRows) => {
      local.set(j, 0);
      local.set(panel, w);
      local.set(cell, out);
      loop(null, (nextColumns) => {
        for (const sum of sums) local.set(sum, f32x4.splat(f32.const(0)));
        local.set(k, 0);
        loop(null, (nextInner) => {
          local.set(at, i32.add(a, k));
          local.set(a0, v128.load({}, at));
          local.set(a1, v128.load({}, i32.add(at, aStride)));
          local.set(at, i32.add(panel, k));
          for (let row = 0; row < 4; row++) {
            local.set(weights, v128.load({}, at));
            add(at, wStride);
            for (const [activation, sum] of [
              [a0, sums[row]],
              [a1, sums[4 + row]],
            ] as [Local<"v128">, Local<"v128">][]) {
              local.set(sum, f32x4.add(sum, f32x4.mul(activation, weights)));
            }
          }
          add(k, 16);
          i32.lt_u(k, innerBytes);
          br_if(nextInner);
        });
        for (const [n, sum] of sums.entries()) {
          local.set(at, n < 4 ? cell : i32.add(cell, outStride));
          const low = f32.add(f32x4.extract_lane(0, sum), f32x4.extract_lane(1, sum));
          const high = f32.add(f32x4.extract_lane(2, sum), f32x4.extract_lane(3, sum));
          f32.store({ offset: (n % 4) * 4 }, at, f32.add(low, high));
        }
        add(cell, 16);
        local.set(panel, i32.add(panel, i32.shl(wStride, 2)));
        add(j, 4);
        i32.lt_u(j, columns);
        br_if(nextColumns);
      });
      local.set(a, i32.add(a, i32.shl(aStride, 1)));
      local.set(out, i32.add(out, i32.shl(outStride, 1)));
      add(i, 2);
      i32.lt_u(i, rows);
      br_if(nextRows);
    });
  },
);

function vectors<const N extends number>(count: N) {
  return Array.from({ length: count }, () => v128);
}
