import { FoldmarkError } from "./errors.ts";

/** What a canonical document may hold. Numbers are safe integers; an `undefined` member is as if it were not there. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * JSON with one spelling: keys sorted by UTF-16 code units, no white space, integers only (RFC 8785 without fractions).
 * @throws `canonical_json.unsupported` for a value that has no single spelling
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "string" && value.isWellFormed()) return JSON.stringify(value);
  if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${Array.from(value, (item: Json) => canonicalJson(item)).join(",")}]`; // holes are undefined
  if (isPlain(value)) {
    const members = Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${canonicalJson(key)}:${canonicalJson(member)}`).join(",")}}`;
  }
  throw new FoldmarkError("canonical_json.unsupported", `No canonical JSON for ${typeof value} ${String(value)}.`);
}

/** Dates, maps and typed arrays are objects too, and would be written as if they were empty or a list of members. */
function isPlain(value: Json): value is { readonly [key: string]: Json | undefined } {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
