import type { ConstantSource } from "../engine.ts";
import { readConstant, tensorByteLength } from "../job.ts";
import { BYTES, type ElementType, type Program, size } from "../program.ts";
import { PANEL_ROWS, paddedColumns, paddedRows, panelBytesOf, STAGING_SLACK } from "./dots/panels.ts";
import type { Kernels } from "./kernels.ts";
import type { Arena } from "./memory.ts";
import { ofType, type Range, range } from "./ranges.ts";

/** A constant in engine memory. */
export type LoadedConstant = {
  base: number;
  range: Range;
  /** Stored as panels: bytes of a panel, and the largest sum of absolute values of a row. */
  packed?: { panelBytes: number; panels: number; largestNorm: number };
};

/** Elements of a constant whose exact range is worth a look; larger ones take the range of their type. */
const EXACT_RANGE_ELEMENTS = 1 << 18;

/**
 * Copies every constant into the arena, once; those in `panels` (by tensor number) as panels of the dot kernels.
 * @throws `machine.bad_constant`, `machine.out_of_memory`
 */
export function placeConstants(
  program: Program,
  source: ConstantSource,
  { arena, kernels, panels }: { arena: Arena; kernels: Kernels; panels: ReadonlySet<number> },
): LoadedConstant[] {
  const first = program.requests.length + program.claimed.length;
  // room for the largest matrix as it comes, given back when all are packed
  const largest = Math.max(
    0,
    ...program.constants.map((decl, i) => (panels.has(first + i) ? tensorByteLength(decl, 1) : 0)),
  );
  const staging = largest > 0 ? arena.allocate(largest + STAGING_SLACK) : undefined;
  const loaded = program.constants.map((decl, index) => {
    const bytes = readConstant(program, source, index);
    if (staging === undefined || !panels.has(first + index)) {
      const base = arena.allocate(bytes.length);
      arena.bytes.set(bytes, base);
      return { base, range: exactRange(decl.type, bytes) };
    }
    const [rows, columns] = [size.n(decl.rows), size.n(decl.cols)];
    const panelBytes = panelBytesOf(paddedColumns(columns));
    const panelCount = paddedRows(rows) / PANEL_ROWS;
    const base = arena.allocate(panelCount * panelBytes);
    arena.bytes.set(bytes, staging);
    const largestNorm = kernels.packPanels(staging, rows, columns, base, panelCount, panelBytes);
    return { base, range: ofType.i8, packed: { panelBytes, panels: panelCount, largestNorm } };
  });
  if (staging !== undefined) arena.free(staging);
  return loaded;
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
