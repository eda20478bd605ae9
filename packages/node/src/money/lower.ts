import { type BaseUnits, baseUnits } from "@foldmark/protocol";

/** The lower of two amounts; `Math.min` takes no bigints. */
export function lower(a: bigint, b: bigint): BaseUnits {
  if (a < b) return baseUnits(a);
  return baseUnits(b);
}
