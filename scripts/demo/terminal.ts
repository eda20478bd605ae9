// What the story looks like: a spinner with a line that changes while a step works, figures when it is done. Without a
// terminal the same, as plain lines.
import { log, spinner } from "@clack/prompts";

export type Progress = {
  /** Replaces the line shown while the step works. */
  say(text: string): void;
  /** The same, with a bar. `done` and `total` in any unit. */
  bar(text: string, done: number, total: number): void;
  /** A line that stays. */
  note(text: string): void;
  /** Text of an answer as it arrives. */
  stream(text: string): void;
};

const BAR_WIDTH = 24;
const interactive = process.stdout.isTTY === true;

function barOf(done: number, total: number): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const full = Math.round(share * BAR_WIDTH);
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)} ${Math.floor(share * 100)} %`;
}

/** Runs `work` under a spinner titled `title`; shows the lines that it returns, or the reason why it failed. */
export async function show<Result>(
  title: string,
  work: (progress: Progress) => Promise<{ lines: string[]; result: Result }>,
): Promise<Result> {
  const spin = interactive ? spinner() : undefined;
  let spinning = false;
  let streaming = false;
  let lastPlain = "";
  const start = () => {
    if (spinning) return;
    spin?.start(title);
    spinning = true;
  };
  const pause = (line: string) => {
    if (!spinning) return;
    spin?.stop(line);
    spinning = false;
  };
  const endStream = () => {
    if (streaming) process.stdout.write("\n");
    streaming = false;
  };
  if (!spin) console.log(`\n${title}`);
  start();
  const progress: Progress = {
    say: (text) => {
      endStream();
      start();
      spin?.message(`${title}: ${text}`);
      if (!spin && text !== lastPlain) console.log(`  ${text}`);
      lastPlain = text;
    },
    bar: (text, done, total) => {
      endStream();
      start();
      spin?.message(`${title}: ${text} ${barOf(done, total)}`);
      const tenth = `  ${text} ${Math.floor((done / total) * 10) * 10} %`;
      if (!spin && tenth !== lastPlain) console.log(tenth);
      lastPlain = tenth;
    },
    note: (text) => {
      endStream();
      pause(title);
      if (spin) log.message(text);
      else console.log(`  ${text}`);
    },
    stream: (text) => {
      pause(title);
      if (!streaming) process.stdout.write(spin ? "│  " : "  ");
      streaming = true;
      process.stdout.write(text.replaceAll("\n", spin ? "\n│  " : "\n  "));
    },
  };
  try {
    const { lines, result } = await work(progress);
    endStream();
    if (spinning) pause(title);
    for (const line of lines) {
      if (spin) log.message(line, { spacing: 0 });
      else console.log(`  ${line}`);
    }
    return result;
  } catch (error) {
    endStream();
    if (spinning) spin?.error(`${title}: failed`);
    throw error;
  }
}
