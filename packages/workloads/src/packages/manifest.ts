import { z } from "zod";
import { WorkloadError } from "../errors.ts";
import { canonicalJson } from "./canonicalJson.ts";
import type { Hex } from "./hex.ts";

/** The files of a package besides `manifest.json`, with the most bytes each may have. */
export const PACKAGE_FILES = {
  "program.bin": 8 << 20,
  "tensors.bin": 2 ** 40,
  "tokenizer.json": 64 << 20,
  "template.jinja": 65_536,
  "report.json": 1 << 20,
} as const satisfies Record<string, number>;
export type PackageFile = keyof typeof PACKAGE_FILES;
const FILE_NAMES = Object.keys(PACKAGE_FILES) as PackageFile[];

export const MANIFEST_FILE = "manifest.json";
export const MAX_MANIFEST_BYTES = 8 << 20;

const hex = (bytes: number) =>
  z.custom<Hex>((value) => isHex(value, bytes), `must be 0x and ${2 * bytes} lower-case hex digits`);
const isHex = (value: unknown, bytes: number): boolean =>
  typeof value === "string" && value.length === 2 + 2 * bytes && /^0x[0-9a-f]*$/.test(value);
const index = z.int().min(0).max(0xffff);
const file = z.strictObject({ sizeBytes: z.int().min(0), sha256: hex(32) });

const answer = z.strictObject({ claimed: index, stage: index, fold: index, shift: z.literal(1).optional() });
const length = z.union([
  z.literal("open"),
  z.strictObject({ request: z.tuple([index, z.int().min(0).max(0x3fff_ffff)]) }),
]);

const manifest = z.strictObject({
  version: z.literal(1),
  name: z.string().regex(/^[\w .:@/+-]{1,128}$/, "must be 1 to 128 letters, digits or any of _ . : @ / + - and space"),
  kind: z.enum(["chat", "simulation"]),
  /** An SPDX expression, such as `Apache-2.0`. */
  licence: z.string().regex(/^[A-Za-z0-9.+ ()-]{1,128}$/, "must be an SPDX expression"),
  /** Which builder makes the program from which configuration; null for a program that none explains. */
  family: z.strictObject({ name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/), configuration: z.json() }).nullable(),
  modelId: hex(32),
  header: hex(14),
  programRoot: hex(32),
  weightsRoot: hex(32),
  /** Roots of the constants in order, so that a damaged one can be named. */
  tensorRoots: z.array(hex(32)).max(0xffff),
  maxT: z
    .int()
    .min(1)
    .max(2 ** 24),
  answers: z.array(answer).min(1).max(16),
  length,
  stopIds: z.array(z.int().min(0).max(0x7fff_ffff)).max(8),
  files: z.partialRecord(z.enum(FILE_NAMES), file),
});

export type Manifest = z.infer<typeof manifest>;
/** What a manifest says of a file. */
export type FileEntry = z.infer<typeof file>;

/** The bytes whose SHA-256 is the packageHash. */
export const encodeManifest = (value: Manifest): Uint8Array => new TextEncoder().encode(canonicalJson(value));

/**
 * Reads a manifest. Throws `package.manifest` naming the place that is wrong, an unknown key or a file that is missing;
 * also where the bytes are not the canonical ones: one content has one packageHash.
 */
export function decodeManifest(bytes: Uint8Array, path: string): Manifest {
  const refuse = (what: string, details: Record<string, unknown> = {}): WorkloadError =>
    new WorkloadError("package.manifest", `${path}: ${what}.`, { file: path, ...details });
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw refuse(`it has ${bytes.length} bytes, at most ${MAX_MANIFEST_BYTES} are read`, { sizeBytes: bytes.length });
  }
  let text: string;
  let data: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    data = JSON.parse(text);
  } catch (cause) {
    throw refuse(`it is no JSON (${(cause as Error).message})`);
  }
  const parsed = manifest.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue?.path.join(".") ?? "";
    throw refuse(`${place || "its top"}: ${issue?.message}`, { path: place, issue: issue?.message });
  }
  const value = parsed.data;
  if (canonicalJson(value) !== text) throw refuse("it is not written in canonical form (RFC 8785)");
  checkFiles(value, refuse);
  return value;
}

function checkFiles(
  { kind, files }: Manifest,
  refuse: (what: string, details?: Record<string, unknown>) => WorkloadError,
): void {
  const always: PackageFile[] = ["program.bin", "tensors.bin", "report.json"];
  const wanted: PackageFile[] = kind === "chat" ? [...always, "tokenizer.json", "template.jinja"] : always;
  for (const name of FILE_NAMES) {
    const entry = files[name];
    if (wanted.includes(name) !== (entry !== undefined)) {
      throw refuse(`a package of kind ${kind} ${entry ? "has no" : "needs a"} file ${name}`, { path: `files.${name}` });
    }
    if (entry && entry.sizeBytes > PACKAGE_FILES[name]) {
      const what = `files.${name}: ${entry.sizeBytes} bytes, at most ${PACKAGE_FILES[name]} are read`;
      throw refuse(what, { path: `files.${name}`, sizeBytes: entry.sizeBytes, most: PACKAGE_FILES[name] });
    }
  }
}
