// A story is a list of steps; each runs, shows its figures and leaves them in the report.
import { writeFile } from "node:fs/promises";
import { complain, type Progress, show } from "./terminal.ts";

/** A figure of the report. Amounts are decimal strings in base units. */
export type Figure = string | number | boolean | null | { [name: string]: Figure };

export type StepResult = {
  /** What a person reads when the step is done. */
  lines: string[];
  /** What `--json` writes. */
  figures: Record<string, Figure>;
};

export type Step<Stage> = {
  /** Its name in the report. */
  name: string;
  title: string;
  /** Does the work; throws when something did not hold. What later steps need it leaves in `stage`. */
  run(stage: Stage, progress: Progress): Promise<StepResult>;
};

type Entry = { name: string; ok: boolean; seconds: number; figures: Record<string, Figure>; error?: string };

/**
 * Plays the steps in order and stops at the first that fails. Writes the report after each, so that an interrupted story
 * leaves what it measured. Returns whether all held.
 */
export async function play<Stage>(steps: Step<Stage>[], stage: Stage, jsonFile?: string): Promise<boolean> {
  const report: { steps: Entry[]; ok: boolean } = { steps: [], ok: false };
  for (const [index, step] of steps.entries()) {
    const start = performance.now();
    const entry: Entry = { name: step.name, ok: false, seconds: 0, figures: {} };
    report.steps.push(entry);
    try {
      entry.figures = await show(`${index + 1}/${steps.length} ${step.title}`, async (progress) => {
        const { lines, figures } = await step.run(stage, progress);
        const seconds = ((performance.now() - start) / 1000).toFixed(1);
        return { lines: [...lines, `(${seconds} s)`], result: figures };
      });
      entry.ok = true;
    } catch (error) {
      entry.error = error instanceof Error ? error.message : String(error);
      complain(`\n${step.name}: ${entry.error}`);
    }
    entry.seconds = (performance.now() - start) / 1000;
    report.ok = entry.ok && index === steps.length - 1;
    if (jsonFile) await writeFile(jsonFile, `${JSON.stringify(report, null, 2)}\n`);
    if (!entry.ok) return false;
  }
  return true;
}
