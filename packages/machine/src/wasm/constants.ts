import type { ConstantSource } from "../engine.ts";
import { readConstant, tensorByteLength } from "../job.ts";
import { BYTES, type ElementType, type Program, size, type TensorDecl } from "../program.ts";
import { MATRIX_FORMS, type MatrixFormName } from "./dots/matrixForm.ts";
import { PANEL_ROWS, paddedColumns, paddedRows, STAGING_SLACK } from "./dots/panels.ts";
import type { FormKernels, Kernels } from "./kernels.ts";
import { type Arena, blockBytes } from "./memory.ts";
import { ofType, type Range, range } from "./ranges.ts";

/** A matrix stored as panels. `largestNorm` is the largest sum of absolute values of a row. */
export type PackedMatrix = { form: MatrixFormName; panelBytes: number; panels: number; largestNorm: number };

/** A constant in engine memory. */
export type LoadedConstant = {
  base: number;
  range: Range;
  packed?: PackedMatrix;
};

export type ConstantOptions = {
  arena: Arena;
  kernels: Kernels;
  matrices: ReadonlySet<number>;
  forms: readonly MatrixFormName[];
};

/** Elements of a constant whose exact range is worth a look; larger ones take the range of their type. */
const EXACT_RANGE_ELEMENTS = 1 << 18;

/** Bytes of a matrix that are packed at once. */
const CHUNK_BYTES = 1 << 16;

/**
 * Reads every constant into the arena, once; matrices (by tensor number) become panels there, of the first of the forms that
 * takes them.
 * @throws `machine.bad_constant`, `machine.out_of_memory`
 */
export function placeConstants(
  program: Program,
  source: ConstantSource,
  { arena, kernels, matrices, forms }: ConstantOptions,
): LoadedConstant[] {
  const first = program.requests.length + program.claimed.length;
  const packed = program.constants.map((decl, index) =>
    matrices.has(first + index) ? packedShape(decl, forms) : undefined,
  );
  const bytesOf = (index: number) => tensorByteLength(program.constants[index] as TensorDecl, 1);
  arena.prepare(packed.reduce((sum, shape, index) => sum + blockBytes(shape?.bytes ?? bytesOf(index)), 0));
  const read = (index: number, base: number): Uint8Array => {
    const into = arena.bytes.subarray(base, base + bytesOf(index));
    const bytes = readConstant(program, source, index, into);
    if (bytes.buffer !== into.buffer) into.set(bytes);
    return into;
  };
  // matrices first, one behind the other: neighbours can be multiplied as one
  const bases: number[] = [];
  for (const isMatrix of [true, false])
    for (const [index, shape] of packed.entries())
      if ((shape !== undefined) === isMatrix) bases[index] = arena.allocate(shape?.bytes ?? bytesOf(index));
  return program.constants.map((decl, index) => {
    const shape = packed[index];
    const base = bases[index] as number;
    if (shape === undefined) return { base, range: exactRange(decl.type, read(index, base)) };
    // a matrix is at most as long as its panels: read to their end, it is behind whatever is packed of it
    const from = base + shape.bytes - bytesOf(index);
    read(index, from);
    const largestNorm = packInPlace({ arena, kernels }, { decl, shape, base, from });
    const { form, panelBytes, panels } = shape;
    return { base, range: ofType.i8, packed: { form, panelBytes, panels, largestNorm } };
  });
}

type PackedShape = { form: MatrixFormName; panels: number; panelBytes: number; bytes: number };

function packedShape({ rows, cols }: TensorDecl, forms: readonly MatrixFormName[]): PackedShape | undefined {
  const columns = paddedColumns(size.n(cols));
  const form = forms.find((name) => columns <= MATRIX_FORMS[name].maxColumns);
  if (form === undefined) return undefined;
  const panels = paddedRows(size.n(rows)) / PANEL_ROWS;
  const panelBytes = MATRIX_FORMS[form].panelBytes(columns);
  return { form, panels, panelBytes, bytes: panels * panelBytes };
}

/** Packs a matrix at `from` into panels at `base`, a chunk at a time; returns the largest norm of a row. */
function packInPlace(
  { arena, kernels }: { arena: Arena; kernels: Kernels },
  { decl, shape, base, from }: { decl: TensorDecl; shape: PackedShape; base: number; from: number },
): number {
  const [rows, columns] = [size.n(decl.rows), size.n(decl.cols)];
  const { packPanels } = kernels[shape.form] as FormKernels;
  const pairs = Math.max(1, Math.floor(CHUNK_BYTES / (columns * PANEL_ROWS * 2)));
  const chunkRows = pairs * PANEL_ROWS * 2;
  const chunk = arena.allocate(Math.min(chunkRows, rows) * columns + STAGING_SLACK);
  let largest = 0;
  for (let row = 0; row < rows; row += chunkRows) {
    const taken = Math.min(chunkRows, rows - row);
    const panel = row / PANEL_ROWS;
    const panels = Math.min(pairs * 2, shape.panels - panel);
    arena.bytes.copyWithin(chunk, from + row * columns, from + (row + taken) * columns);
    const target = base + panel * shape.panelBytes;
    largest = Math.max(largest, packPanels(chunk, taken, columns, target, panels, shape.panelBytes));
  }
  arena.free(chunk);
  return largest;
}

/** The least and the greatest element. Bounds of tables and multipliers decide where 64 bits suffice. */
function exactRange(type: ElementType, bytes: Uint8Array): Range {
  const count = bytes.length / BYTES[type];
  if (type === "i64" || count > EXACT_RANGE_ELEMENTS) return ofType[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < count; at++) {
    const value =
      type === "i8" ? view.getInt8(at) : type === "i16" ? view.getInt16(at * 2, true) : view.getInt32(at * 4, true);
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return range(BigInt(least), BigInt(greatest));
}
