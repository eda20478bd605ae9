// `npm run bench -- NAME [options]`: measures one thing and prints it; `--json FILE` writes it. Figures that are worth
// keeping go into docs/benchmarks.md with machine and command.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { benchEngine } from "./engine.ts";
import { benchQuality } from "./quality.ts";

const BENCHES: Record<string, (options: BenchOptions) => Promise<Record<string, unknown>>> = {
  engine: benchEngine,
  quality: benchQuality,
  // loaded when it is wanted: a chain comes with it
  court: async (options) => (await import("./court.ts")).benchCourt(options),
  serve: async (options) => (await import("./serve.ts")).benchServe(options),
};
export type BenchOptions = {
  gguf?: string;
  text?: string;
  chunks: number;
  cache?: string;
  /** How often each figure is measured; each bench has its own number. */
  rounds?: number;
  /** Parts to measure (of `serve`: numbers of clients), all without it. */
  only?: string[];
};

const { positionals, values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  allowPositionals: true,
  options: {
    gguf: { type: "string" },
    model: { type: "string" },
    text: { type: "string" },
    chunks: { type: "string", default: "16" },
    rounds: { type: "string" },
    only: { type: "string" },
    cache: { type: "string" },
    json: { type: "string" },
  },
});
const bench = BENCHES[positionals[0] ?? ""];
if (!bench) {
  console.error(`bench: name one of ${Object.keys(BENCHES).join(", ")}.`);
  process.exit(2);
}
const { json, chunks, rounds, only, model, ...options } = values;
// the demo's name for the same file
const gguf = options.gguf ?? model;
const figures = await bench({
  ...options,
  ...(gguf !== undefined && { gguf }),
  ...(only !== undefined && { only: only.split(",") }),
  ...(rounds !== undefined && { rounds: Number(rounds) }),
  chunks: Number(chunks),
});
console.log(JSON.stringify(figures, null, 2));
if (json) await writeFile(json, `${JSON.stringify(figures, null, 2)}\n`);
