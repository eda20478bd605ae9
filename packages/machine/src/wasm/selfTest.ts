import { MachineError } from "../errors.ts";
import { BYTES } from "../program.ts";
import { arithmetic } from "../reference/arithmetic.ts";
import { mulShift, philox, roundShift, squareRoot, unsignedDivide } from "./arithmetic.ts";
import { defineFunction, i32, instantiate, type Local, local, v128 } from "./asm.ts";
import { paddedColumns, paddedRows } from "./dotKernels.ts";
import type { Kernels } from "./kernels.ts";
import type { Arena } from "./memory.ts";
import { emitBlockDot, emitRunDot, needsNoFlush, type RunForm } from "./runDot.ts";

/**
 * Runs every kernel on small inputs against plain JavaScript: a compiler that miscompiles one must not sign answers.
 * @throws `machine.kernel_mismatch` naming the kernel
 */
export function assertKernels(arena: Arena, kernels: Kernels): void {
  checkArithmetic(arena);
  for (const [rows, columns, count] of [
    [40, 23, 3],
    [16, 4, 2],
    [33, 66, 1],
  ] as const)
    checkMatrix(arena, kernels, { rows, columns, count });
  for (const form of RUN_FORMS) checkRuns(arena, form);
}

const mismatch = (kernel: string, details: Record<string, unknown>) =>
  new MachineError("machine.kernel_mismatch", `The kernel ${kernel} computes wrong values on this machine.`, {
    kernel,
    ...details,
  });

const EDGES = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  63n,
  64n,
  0x7fff_ffffn,
  -0x8000_0000n,
  0x1_0000_0001n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  -(2n ** 63n) + 1n,
  0x1234_5678_9abc_def0n,
];

const COUNTS = [-1n, 0n, 1n, 31n, 33n, 63n, 64n];

/** Operations that are functions of their own, with the operands that try their edges. */
const OPERATIONS = {
  mulshr: { code: mulShift, operands: [EDGES, EDGES, COUNTS] },
  shr: { code: roundShift, operands: [EDGES, COUNTS] },
  isqrt: { code: squareRoot, operands: [EDGES] },
  udiv: { code: unsignedDivide, operands: [EDGES, EDGES] },
  philox: { code: philox, operands: [EDGES, [3n], [-5n]] },
} as const;

function checkArithmetic(arena: Arena): void {
  const codes = Object.entries(OPERATIONS).map(([op, { code }]) => [op, code] as const);
  const compiled = instantiate(arena.memory, Object.fromEntries(codes));
  for (const [op, { operands }] of Object.entries(OPERATIONS)) {
    const expected: (...args: bigint[]) => bigint = arithmetic[op as keyof typeof OPERATIONS];
    for (const args of tuples(operands)) {
      const actual: unknown = Reflect.apply(compiled[op] as () => number, undefined, args);
      if (actual !== expected(...args)) throw mismatch(op, { args: args.map(String), actual: String(actual) });
    }
  }
}

const tuples = (lists: readonly (readonly bigint[])[]): bigint[][] =>
  lists.reduce<bigint[][]>((all, list) => all.flatMap((tuple) => list.map((value) => [...tuple, value])), [[]]);

/** Small numbers that reach both ends of their type. */
function* values(bits: 8 | 16, seed: number): Generator<number, never> {
  const half = 2 ** (bits - 1);
  for (let at = seed; ; at++)
    yield at % 7 === 0 ? -half : at % 7 === 3 ? half - 1 : ((Math.imul(at, 0x9e3779b1) >>> 8) % (2 * half)) - half;
}

function checkMatrix(
  arena: Arena,
  kernels: Kernels,
  { rows, columns, count }: { rows: number; columns: number; count: number },
): void {
  const [rowCount, columnCount] = [paddedRows(rows), paddedColumns(columns)];
  const panelBytes = columnCount * 8;
  const sizes = [
    rows * columns,
    rowCount * columnCount,
    count * columns * 2 + 16,
    rowCount * count * 4,
    rowCount * count * 8,
    count * 4,
  ];
  const blocks = sizes.map((bytes) => arena.allocateZeroed(bytes));
  const [source, packed, x, sums, wide, table] = blocks as [number, number, number, number, number, number];
  const next = { weight: values(8, 1), activation: values(16, 5) };
  const weights = Array.from({ length: rows * columns }, () => next.weight.next().value);
  const inputs = Array.from({ length: count * columns }, () => next.activation.next().value);
  const view = new DataView(arena.memory.buffer);
  weights.forEach((value, at) => {
    view.setInt8(source + at, value);
  });
  inputs.forEach((value, at) => {
    view.setInt16(x + at * 2, value, true);
  });
  for (let m = 0; m < count; m++) view.setInt32(table + m * 4, x + m * columns * 2, true);
  const expected = (m: number, n: number) => {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += (weights[n * columns + k] as number) * (inputs[m * columns + k] as number);
    return sum;
  };
  const compare = (kernel: string, base: number, m: number) => {
    for (let n = 0; n < rows; n++) {
      const actual = view.getInt32(base + n * 4, true);
      if (actual !== expected(m, n))
        throw mismatch(kernel, { rows, columns, row: n, actual, expected: expected(m, n) });
    }
  };

  const norm = kernels.packPanels(source, rows, columns, packed, panelBytes);
  const norms = Array.from({ length: rows }, (_, n) =>
    weights.slice(n * columns, (n + 1) * columns).reduce((sum, value) => sum + Math.abs(value), 0),
  );
  if (norm !== Math.max(...norms))
    throw mismatch("packPanels", { rows, columns, actual: norm, expected: Math.max(...norms) });
  kernels.dotOneRow(packed, rowCount / 8, panelBytes, x, columnCount * 2, sums);
  compare("dotOneRow", sums, 0);
  arena.bytes.fill(0, sums, sums + rowCount * count * 4);
  kernels.dotRows(packed, rowCount / 8, panelBytes, table, 0, columnCount * 2, count, sums, rowCount * 4);
  for (let m = 0; m < count; m++) compare("dotRows", sums + m * rowCount * 4, m);
  kernels.widenSums(sums, wide, rowCount * count);
  kernels.widenSums(sums, wide, rowCount * count);
  for (let n = 0; n < rows; n++)
    if (view.getBigInt64(wide + n * 8, true) !== 2n * BigInt(expected(0, n))) throw mismatch("widenSums", { row: n });
  kernels.widenRow(source, sums, rowCount >> 1);
  for (let at = 0; at < rowCount >> 1; at++)
    if (view.getInt16(sums + at * 2, true) !== weights[at]) throw mismatch("widenRow", { at });
  for (const block of blocks) arena.free(block);
}

const RUN_FORMS: RunForm[] = [
  { left: "i16", right: "i8", turns: 2 },
  { left: "i16", right: "i16", turns: 1 },
  { left: "i8", right: "i8", turns: 1000 },
];

function checkRuns(arena: Arena, form: RunForm): void {
  const one = defineFunction({ in: ["i32", "i32", "i32"], out: ["i64"] }, (args, locals) => {
    const [left, right, count] = args as [Address, Address, Address];
    const sum = locals.i64();
    emitRunDot(locals, form, { left, right, count, sum });
    local.get(sum);
  });
  const four = defineFunction({ in: ["i32", "i32", "i32", "i32"], out: [] }, (args, locals) => {
    const [left, right, count, out] = args as [Address, Address, Address, Address];
    const columns = [0, 1, 2, 3].map((column) => {
      const address = locals.i32();
      local.set(address, i32.add(right, column * BYTES[form.right]));
      return address;
    });
    const { low, high } = emitBlockDot(locals, form, { left: [left], right: columns, count, fixed: undefined });
    v128.store({ align: 1 }, out, low);
    v128.store({ align: 1, offset: 16 }, out, high);
  });
  const kernels = instantiate(arena.memory, { one, four });
  const block = arena.allocate(512);
  const view = new DataView(arena.memory.buffer, block, 512);
  const write = (type: RunForm["left"], offset: number, seed: number) => {
    const next = values(type === "i8" ? 8 : 16, seed);
    return Array.from({ length: 48 }, (_, at) => {
      // -32,768 squared twice is the one sum of a turn that no lane holds: ranges exclude it
      const value = Math.max(next.next().value, type === "i16" ? -32_767 : -128);
      if (type === "i8") view.setInt8(offset + at, value);
      else view.setInt16(offset + at * 2, value, true);
      return value;
    });
  };
  const [a, b] = [write(form.left, 0, 2), write(form.right, 128, 3)];
  const call = (name: "one" | "four", ...args: number[]): unknown =>
    Reflect.apply(kernels[name] as () => number, undefined, args);
  const compare = (kernel: string, count: number, column: number, actual: unknown) => {
    const expected = a.slice(0, count).reduce((sum, value, at) => sum + BigInt(value * (b[at + column] as number)), 0n);
    if (actual !== expected)
      throw mismatch(kernel, { ...form, count, column, actual: String(actual), expected: String(expected) });
  };
  for (const count of [1, 7, 8, 9, 24, 39]) {
    compare("dot of runs", count, 0, call("one", block, block + 128, count));
    if (!needsNoFlush(form, count)) continue;
    call("four", block, block + 128, count, block + 256);
    for (const column of [0, 1, 2, 3])
      compare("dot of four runs", count, column, view.getBigInt64(256 + column * 8, true));
  }
  arena.free(block);
}

type Address = Local<"i32">;
