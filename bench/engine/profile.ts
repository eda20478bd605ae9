import { stageName } from "../stageNames.ts";
import { DECODED, PREFILLS } from "./againstLlamaCpp.ts";
import type { Subject } from "./subject.ts";

const PREFILL = PREFILLS[1] as number;
const SAMPLES = 9;
const WORK = { "decode 32": 32, "decode 256": 256, "decode 1000": 1_000, [`prefill ${PREFILL}`]: 0 };

type Sample = { name: string; kernel: string; milliseconds: number }[];
/** Milliseconds of wall time a token: the best of several samples, which is the one that others disturbed least. */
export type Profile = { name: string; kernel: string; milliseconds: Record<string, number> }[];

/** Where the time goes, by what folds compute; those of all layers together, in the order of the program. */
export function profile(subject: Subject): Profile {
  const { engine, text } = subject;
  const { stages } = engine.program;
  const found = new Map<string, Profile[number]>();
  for (const [what, position] of Object.entries(WORK)) {
    const read = subject.open();
    let token = text[0] as number;
    if (position > 0) [token = 0] = subject.read([[read, text.slice(0, position)]]);
    const samples = Array.from({ length: SAMPLES }, (): Sample => {
      const session = engine.fork(read, { reserveSteps: position + PREFILL });
      const folds = engine.profile(() => {
        if (position === 0) subject.read([[session, text.slice(0, PREFILL)]]);
        else for (let i = 0, next = token; i < DECODED; i++) [next = 0] = subject.read([[session, [next]]]);
      });
      session.close();
      const tokens = position === 0 ? PREFILL : DECODED;
      return Map.groupBy(folds, ({ stage }) => stageName(stage, stages.length))
        .entries()
        .map(([name, of]) => ({
          ...{ name, kernel: of[0]?.kernel ?? "" },
          milliseconds: of.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / tokens,
        }))
        .toArray();
    });
    read.close();
    const total = (sample: Sample) => sample.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    for (const { name, kernel, milliseconds } of samples.reduce((a, b) => (total(b) < total(a) ? b : a))) {
      const entry = found.get(name) ?? { name, kernel, milliseconds: {} };
      entry.milliseconds[what] = milliseconds;
      found.set(name, entry);
    }
  }
  return [...found.values()];
}

/** As a table of docs/benchmarks.md; what takes next to nothing everywhere is left out. */
export function profileTable(profile: Profile): string {
  const columns = Object.keys(WORK);
  const cells = (of: Record<string, number>) => columns.map((column) => (of[column] ?? 0).toFixed(2)).join(" | ");
  const sum = Object.fromEntries(
    columns.map((column) => [
      column,
      profile.reduce((total, { milliseconds }) => total + (milliseconds[column] ?? 0), 0),
    ]),
  );
  const shown = profile.filter(({ milliseconds }) => Object.values(milliseconds).some((time) => time >= 0.02));
  return [
    `| ms a token | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---:|").join("")}`,
    ...shown.map(({ name, milliseconds }) => `| ${name} | ${cells(milliseconds)} |`),
    `| all | ${cells(sum)} |`,
  ].join("\n");
}
