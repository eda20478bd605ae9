import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

type Entry = { label: string; offset: number; slot: string; type: string };
type Type = { label: string; numberOfBytes: string; members?: Entry[] };
type Layout = { storage: Entry[]; types: Record<string, Type> | null };
type Output = {
  errors?: { severity: string; formattedMessage: string }[];
  contracts?: Record<string, Record<string, { storageLayout: Layout }>>;
};

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The compiler's storage layout of contracts of the market and its court, as text: slot, byte offset, size, type, name. */
export function storageLayouts(names: readonly string[]): Record<string, string> {
  const file = (name: string) => `contracts/${name === "Court" ? "court" : "market"}/${name}.sol`;
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(names.map((name) => [file(name), { content: read(file(name)) }])),
    settings: { outputSelection: { "*": { "*": ["storageLayout"] } } },
  };
  const imported = (source: string) => ({ contents: read(source) });
  const output: Output = JSON.parse(solc.compile(JSON.stringify(input), { import: imported }));
  const failure = output.errors?.find(({ severity }) => severity === "error");
  if (failure) throw new Error(failure.formattedMessage);
  return Object.fromEntries(
    names.map((name) => {
      const layout = output.contracts?.[file(name)]?.[name]?.storageLayout;
      if (!layout) throw new Error(`The compiler gave no storage layout for ${name}.`);
      return [name, describeLayout(layout)];
    }),
  );
}

function read(source: string): string {
  const own = path.join(root, source);
  return readFileSync(existsSync(own) ? own : path.join(root, "node_modules", source), "utf8");
}

function describeLayout({ storage, types }: Layout): string {
  const typeOf = (id: string): Type => {
    const type = types?.[id];
    if (!type) throw new Error(`The storage layout lacks the type ${id}.`);
    return type;
  };
  const line = (entry: Entry, indent: string) => {
    const { label, numberOfBytes } = typeOf(entry.type);
    return `${indent}${entry.slot} +${entry.offset} ${numberOfBytes} ${label} ${entry.label}\n`;
  };
  const structs = Object.values(types ?? {}).filter((type) => type.members);
  structs.sort((a, b) => (a.label < b.label ? -1 : 1));
  return [
    ...storage.map((entry) => line(entry, "")),
    ...structs.map(({ label, members }) => `${label}\n${members?.map((entry) => line(entry, "  ")).join("")}`),
  ].join("");
}
