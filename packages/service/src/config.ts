import { readFile } from "node:fs/promises";
import { FoldmarkError } from "@foldmark/protocol";
import { parse } from "yaml";
import { z } from "zod";

type Tree = { [key: string]: unknown };

export type ConfigSources = {
  /** A YAML file; a missing one is an error only if the user named it. */
  file?: { path: string; isRequired: boolean };
  /** The environment, of which names beginning with `prefix` count: FOLDMARK_SERVE_LISTEN is serve.listen. */
  environment?: { variables: Record<string, string | undefined>; prefix: string; ignore?: readonly string[] };
  /** Flags by their dotted path, undefined where the user gave none. */
  flags?: Record<string, unknown>;
};

/**
 * Settings from file, environment and flags, later ones winning, checked once against one schema.
 * @param schema - a `z.strictObject`, so that an unknown key is refused by name; its defaults are the defaults
 * @throws `config.unreadable` for a file that cannot be read or parsed, `config.invalid` with every setting that is wrong
 */
export async function loadConfig<Schema extends z.ZodObject>(
  schema: Schema,
  { file, environment, flags = {} }: ConfigSources,
): Promise<z.output<Schema>> {
  const tree: Tree = file ? await readTree(file) : {};
  if (environment) for (const [path, value] of fromEnvironment(schema, environment)) setPath(tree, path, value);
  for (const [path, value] of Object.entries(flags)) if (value !== undefined) setPath(tree, path.split("."), value);

  const parsed = schema.safeParse(tree);
  if (parsed.success) return parsed.data;
  throw new FoldmarkError("config.invalid", `The settings are invalid:\n${z.prettifyError(parsed.error)}`, {
    details: {
      file: file?.path ?? null,
      issues: parsed.error.issues.map(({ path, message }) => ({ setting: path.join("."), message })),
    },
    hint: file
      ? `Settings come from ${file.path}, then the environment, then flags.`
      : "Settings come from the environment, then flags.",
  });
}

async function readTree({ path, isRequired }: { path: string; isRequired: boolean }): Promise<Tree> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    if (isMissing && !isRequired) return {};
    throw new FoldmarkError(
      "config.unreadable",
      `The settings file ${path} ${isMissing ? "does not exist" : "cannot be read"}.`,
      { details: { path }, cause },
    );
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    const [why] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw new FoldmarkError("config.unreadable", `The settings file ${path} is not valid YAML: ${why}`, {
      details: { path },
      cause,
    });
  }
  if (value === null || value === undefined) return {};
  if (isTree(value)) return withoutNulls(value);
  throw new FoldmarkError("config.invalid", `The settings file ${path} must hold settings by name.`, {
    details: { path },
  });
}

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

/** A setting or section without a value, such as `serve:`, is not set. */
const withoutNulls = (tree: Tree): Tree =>
  Object.fromEntries(
    Object.entries(tree).flatMap(([name, value]) =>
      value === null ? [] : [[name, isTree(value) ? withoutNulls(value) : value]],
    ),
  );

/** Every leaf of the schema has one variable name; what has the prefix and is none of them is refused by name. */
function* fromEnvironment(
  schema: z.ZodObject,
  { variables, prefix, ignore = [] }: NonNullable<ConfigSources["environment"]>,
): Generator<[string[], unknown]> {
  const leaves = new Map([...leavesOf(schema)].map(([path, leaf]) => [variableName(prefix, path), { path, leaf }]));
  for (const [name, text] of Object.entries(variables)) {
    if (!name.startsWith(prefix) || text === undefined || ignore.includes(name)) continue;
    const known = leaves.get(name);
    if (!known)
      throw new FoldmarkError("config.invalid", `The environment variable ${name} is no setting.`, {
        details: { variable: name },
        hint: `Known are ${[...leaves.keys()].join(", ")}.`,
      });
    yield [known.path, fromText(known.leaf, text)];
  }
}

/** The environment variable of a setting: ["serve", "drainMs"] is FOLDMARK_SERVE_DRAIN_MS. */
export function variableName(prefix: string, path: readonly string[]): string {
  return prefix + path.map((part) => part.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()).join("_");
}

/** Paths of all settings of a schema that are not objects themselves, with their schemas. */
export function* leavesOf(schema: z.ZodObject, path: readonly string[] = []): Generator<[string[], z.ZodType]> {
  for (const [name, member] of Object.entries(schema.shape as Record<string, z.ZodType>)) {
    const inner = unwrap(member);
    if (inner instanceof z.ZodObject) yield* leavesOf(inner, [...path, name]);
    else yield [[...path, name], inner];
  }
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable
  )
    return unwrap(schema.unwrap() as z.ZodType);
  return schema;
}

/** Environment and flags are text; numbers, booleans, lists and records are read as YAML, the rest stays text. */
export function fromText(leaf: z.ZodType, text: string): unknown {
  const inner = unwrap(leaf);
  const isText = inner instanceof z.ZodString || inner instanceof z.ZodEnum || inner instanceof z.ZodPipe;
  if (isText) return text;
  try {
    return parse(text);
  } catch {
    return text; // the schema says what it wanted instead
  }
}

function setPath(tree: Tree, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const branch = tree[head] ?? {};
  if (!isTree(branch)) return; // a section that is no section: the schema refuses it by name
  tree[head] = branch;
  setPath(branch, rest, value);
}
