import { BYTES, size, sizeAt } from "../program.ts";
import { type Place, stepStart } from "./places.ts";
import type { FoldCode } from "./sites.ts";

/**
 * Visits what is kept of the steps `from .. end - 1` of a fold, in pieces that lie in one run at each of the places: their
 * bytes and where they start. In the order of a snapshot: `[t][r][c]`, or `[r][c][t]` where time is innermost.
 */
export function forEachRun(
  { decl, order }: FoldCode,
  places: readonly Place[],
  { from, end }: { from: number; end: number },
  visit: (bytes: number, starts: number[]) => void,
): void {
  const width = BYTES[decl.type];
  if (order === 1) {
    for (let r = 0; r < size.n(decl.rows); r++)
      for (let c = 0; c < size.n(decl.cols); c++)
        visit(
          (end - from) * width,
          places.map((place) => place.base + r * place.rowStride + c * place.colStride + from * place.stepStride),
        );
    return;
  }
  const stepBytes = size.n(decl.rows) * size.n(decl.cols) * width;
  const isDense = (place: Place) => place.ring === 0 && place.stepStride === stepBytes;
  if (size.kind(decl.cols) === 0 && places.every(isDense)) {
    visit(
      (end - from) * stepBytes,
      places.map(({ base }) => base + from * stepBytes),
    );
    return;
  }
  for (let t = from; t < end; t++)
    for (let r = 0; r < sizeAt(decl.rows, { t, T: 1 }); r++)
      visit(
        sizeAt(decl.cols, { t, T: 1 }) * width,
        places.map((place) => stepStart(place, t) + r * place.rowStride),
      );
}

/** As `forEachRun` from one place to another, in whatever order has the longest runs. */
export function forEachMove(
  code: FoldCode,
  [source, target]: [Place, Place],
  { from, end }: { from: number; end: number },
  visit: (bytes: number, from: number, to: number) => void,
): void {
  const { decl, rowsApart } = code;
  if (!rowsApart) {
    forEachRun(code, [source, target], { from, end }, (bytes, [at, to]) => visit(bytes, at as number, to as number));
    return;
  }
  const stepBytes = size.n(decl.cols) * BYTES[decl.type];
  for (let r = 0; r < size.n(decl.rows); r++) {
    const [at, to] = [source, target].map(({ base, rowStride }) => base + r * rowStride + from * stepBytes);
    visit((end - from) * stepBytes, at as number, to as number);
  }
}
