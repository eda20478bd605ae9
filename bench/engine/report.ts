import { readFileSync } from "node:fs";
import type { Comparison, Comparisons } from "./againstLlamaCpp.ts";

type Bar = { least: number } | { most: number } | "reported";
/** `ours` and `theirs`: what the figure is the ratio of, with units. */
type Row = { what: string; figure: number; ours: string; theirs: string; bar: Bar };
type Timed<Name extends string> = { ratio: number; milliseconds: Record<Name, number> };

export type Parts = {
  speed: Comparisons | null;
  audited: Timed<"check" | "decode"> | null;
  batch: Timed<"one" | "eight"> | null;
  sampled: Timed<"greedy" | "minP"> | null;
  signed: { share: number; milliseconds: Record<"generate" | "accept" | "sign", number> } | null;
  held: { ratio: number; bytes: Record<"usedBytes" | "sessionBytes" | "packageBytes", number> } | null;
  threaded: Timed<"one" | "two"> | null;
  inBrowser: { browserOverNode: number; decodeMsPerToken: number; nodeDecodeMsPerToken: number } | null;
  simulated: Timed<"ours" | "numpy"> | null;
};

const DECODE_BARS: Record<string, number> = { 32: 1.8, 256: 1.8, 1000: 2 };

/** Every figure that was measured beside its bar, as a table of docs/benchmarks.md. */
export function report(parts: Parts): string {
  const rows = rowsOf(parts).map(({ what, figure, ours, theirs, bar }) => {
    const shown = holds(figure, bar) ? figure.toFixed(3) : `**${figure.toFixed(3)}**`;
    return `| ${what} | ${shown} | ${ours} | ${theirs} | ${wanted(bar)} |`;
  });
  return ["| | figure | ours | beside | bar |", "|---|---:|---:|---:|---|", ...rows].join("\n");
}

function holds(figure: number, bar: Bar): boolean {
  if (bar === "reported") return true;
  return "least" in bar ? figure >= bar.least : figure <= bar.most;
}

function wanted(bar: Bar): string {
  if (bar === "reported") return bar;
  return "least" in bar ? `at least ${bar.least}` : `at most ${bar.most}`;
}

function rowsOf({ speed, audited, batch, sampled, signed, held, threaded, inBrowser, simulated }: Parts): Row[] {
  const rows: Row[] = [];
  const add = (what: string, figure: number, row: Omit<Row, "what" | "figure">) => rows.push({ what, figure, ...row });
  const compared = (what: string, { ratio, milliseconds: { ours, flashOn, flashOff } }: Comparison, least: number) => {
    const flash = flashOn < flashOff ? "with" : "without";
    const theirs = `${ms(Math.min(flashOn, flashOff))} ${flash} flash attention`;
    add(what, ratio, { ours: ms(ours), theirs, bar: { least } });
  };
  for (const [at, of] of Object.entries(speed?.decode ?? {}))
    compared(`decode at ${at}, a token, llama.cpp over ours`, of, DECODE_BARS[at] ?? 1);
  for (const [length, of] of Object.entries(speed?.prefill ?? {}))
    compared(`prefill of ${length}, a token, llama.cpp over ours`, of, hasVnni() ? 0.7 : 1);
  if (audited) {
    const { check, decode } = audited.milliseconds;
    const bar = { most: 0.6 };
    add("audit of 512 tokens over decoding them", audited.ratio, { ours: ms(check), theirs: ms(decode), bar });
  }
  if (batch) {
    const { one, eight } = batch.milliseconds;
    add("8 sessions over one, tokens a second", batch.ratio, { ours: ms(eight), theirs: ms(one), bar: { least: 2 } });
  }
  if (sampled) {
    const { minP, greedy } = sampled.milliseconds;
    add("sampled over greedy", sampled.ratio, { ours: ms(minP), theirs: ms(greedy), bar: { most: 1.15 } });
  }
  if (signed) {
    const { accept, sign, generate } = signed.milliseconds;
    const ours = `${ms(accept)} + ${ms(sign)}`;
    add("signed path in an answer of 100 tokens", signed.share, { ours, theirs: ms(generate), bar: { most: 0.02 } });
  }
  if (held) {
    const { usedBytes, packageBytes, sessionBytes } = held.bytes;
    const theirs = `${mb(packageBytes)} + ${mb(sessionBytes)}`;
    add("memory over package and KV", held.ratio, { ours: mb(usedBytes), theirs, bar: { most: 1.25 } });
  }
  if (inBrowser) {
    const { browserOverNode, decodeMsPerToken, nodeDecodeMsPerToken } = inBrowser;
    const times = { ours: ms(decodeMsPerToken), theirs: ms(nodeDecodeMsPerToken) };
    add("Chromium over Node, decode", browserOverNode, { ...times, bar: { least: 0.8 } });
  }
  if (threaded) {
    const { one, two } = threaded.milliseconds;
    add("two threads over one, decode, wall time", threaded.ratio, { ours: ms(two), theirs: ms(one), bar: "reported" });
  }
  if (simulated) {
    const { ours, numpy } = simulated.milliseconds;
    add("Monte Carlo, numpy over ours", simulated.ratio, { ours: ms(ours), theirs: ms(numpy), bar: { least: 1 } });
  }
  return rows;
}

const ms = (milliseconds: number): string =>
  `${milliseconds < 100 ? milliseconds.toPrecision(3) : milliseconds.toFixed(0)} ms`;
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** Whether llama.cpp multiplies bytes here by instructions that take four products at once. */
function hasVnni(): boolean {
  try {
    return /\bavx(512)?_vnni\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}
