import { stageName } from "../stageNames.ts";
import { median } from "../statistics.ts";
import { DECODED, PREFILLS } from "./againstLlamaCpp.ts";
import type { Subject } from "./subject.ts";

const PREFILL = PREFILLS[1] as number;
const PREFILL_SAMPLES = 9;
const WORK = { "decode 32": 32, "decode 256": 256, "decode 1000": 1_000, [`prefill ${PREFILL}`]: 0 };

type Sample = { name: string; kernel: string; milliseconds: number }[];
/** Milliseconds of wall time a token, medians: what interrupts a token lands on one of its parts. */
export type Profile = { name: string; kernel: string; milliseconds: Record<string, number> }[];

/** Where the time goes, by what folds compute; those of all layers together, in the order of the program. */
export function profile(subject: Subject): Profile {
  const found = new Map<string, Profile[number]>();
  for (const [what, position] of Object.entries(WORK)) {
    const samples = position === 0 ? prefillSamples(subject) : decodeSamples(subject, position);
    for (const [i, { name, kernel }] of (samples[0] ?? []).entries()) {
      const entry = found.get(name) ?? { name, kernel, milliseconds: {} };
      entry.milliseconds[what] = median(samples.map((sample) => sample[i]?.milliseconds ?? 0));
      found.set(name, entry);
    }
  }
  return [...found.values()];
}

/** One for each token from a position on. */
function decodeSamples(subject: Subject, position: number): Sample[] {
  const session = subject.open();
  let [token = 0] = subject.read([[session, subject.text.slice(0, position)]]);
  const samples = Array.from({ length: DECODED }, () =>
    sampleOf(subject, { tokens: 1, work: () => ([token = 0] = subject.read([[session, [token]]])) }),
  );
  session.close();
  return samples;
}

function prefillSamples(subject: Subject): Sample[] {
  return Array.from({ length: PREFILL_SAMPLES }, () => {
    const session = subject.open();
    const work = () => subject.read([[session, subject.text.slice(0, PREFILL)]]);
    const sample = sampleOf(subject, { tokens: PREFILL, work });
    session.close();
    return sample;
  });
}

function sampleOf({ engine }: Subject, { tokens, work }: { tokens: number; work: () => void }): Sample {
  const { stages } = engine.program;
  const folds = Map.groupBy(engine.profile(work), ({ stage }) => stageName(stage, stages.length));
  return Array.from(folds, ([name, of]) => ({
    ...{ name, kernel: of[0]?.kernel ?? "" },
    milliseconds: of.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / tokens,
  }));
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
