import type { DotStep } from "../compile.ts";
import type { Segment } from "../segments.ts";

/** A matrix product, and the fold of its activations. */
export type Product = { dot: DotStep; source: number };

/** A segment; one that holds matrix products has what is computed for all of them at once. */
export type JoinedSegment = Segment & { product: Product | undefined };

/**
 * Products of the same activations whose panels lie one behind the other, such as query, key and value of a layer, become one
 * segment and one product: to begin one costs a decoded token as much as to read tens of kilobytes.
 */
export function joinProducts(
  segments: readonly Segment[],
  productOf: (fold: number) => Product | undefined,
): JoinedSegment[] {
  const joined: JoinedSegment[] = [];
  for (const segment of segments) {
    const next = segment.dot ? productOf(segment.folds[0] as number) : undefined;
    const open = joined.at(-1);
    if (open?.product !== undefined && next !== undefined && follows(open.product, next)) {
      const { dot, source } = open.product;
      const panels = dot.packed.panels + next.dot.packed.panels;
      open.product = { source, dot: { ...dot, packed: { ...dot.packed, panels } } };
      open.folds.push(...segment.folds);
    } else joined.push({ ...segment, folds: [...segment.folds], product: next });
  }
  return joined;
}

function follows({ dot, source }: Product, next: Product): boolean {
  const { packed } = dot;
  return (
    source === next.source &&
    packed.form === next.dot.packed.form &&
    packed.panelBytes === next.dot.packed.panelBytes &&
    dot.columns === next.dot.columns &&
    !dot.wide &&
    !next.dot.wide &&
    dot.base + packed.panels * packed.panelBytes === next.dot.base
  );
}
