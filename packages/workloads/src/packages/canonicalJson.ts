/** A value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * The one text of a value: keys sorted by their UTF-16 units, no white space, numbers as JavaScript prints them. Throws a
 * TypeError for what JSON cannot hold (an undefined member counts as absent).
 * @see RFC 8785, JSON Canonicalization Scheme
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    const sorted = members.toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
  }
  const isHeld = value === null || ["boolean", "string"].includes(typeof value) || Number.isFinite(value);
  if (!isHeld) throw new TypeError(`JSON cannot hold ${String(value)}.`);
  return JSON.stringify(value);
}
