// What the story looks like: a spinner with a line that changes while a step works, figures when it is done. Without a
// terminal the same, as plain lines. The spinner is our own: those of prompt libraries read the keyboard, take Ctrl-C for
// an answer and leave the process before it has ended what it started.

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
const FRAMES = ["◒", "◐", "◓", "◑"];
const FRAME_MS = 120;
const GUIDE = "│  ";
const CLEAR_LINE = "\r\x1b[K";

const isTerminal = process.stdout.isTTY === true;
const indent = isTerminal ? GUIDE : "  ";
const columns = () => (isTerminal ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY);
let isSilent = false;

/** Nothing more is shown: the story is being ended. */
export function fallSilent(): void {
  isSilent = true;
}

/** Says on standard error what went wrong, unless the story is being ended: then everything fails. */
export function complain(text: string): void {
  if (!isSilent) console.error(text);
}

/** Runs `work` under a spinner titled `title`; shows the lines that it returns, or that it failed. */
export async function show<Result>(
  title: string,
  work: (progress: Progress) => Promise<{ lines: string[]; result: Result }>,
): Promise<Result> {
  const screen = isTerminal ? openSpinner(title) : plainScreen(title);
  const text = openText(screen);
  const progress: Progress = {
    say(line) {
      text.end();
      screen.working(line);
    },
    bar(line, done, total) {
      text.end();
      screen.working(`${line} ${barOf(done, total)}`);
    },
    note(line) {
      text.end();
      screen.line(line);
    },
    stream: (piece) => text.add(piece),
  };
  try {
    const { lines, result } = await work(progress);
    text.end();
    screen.end("◇");
    for (const line of lines) screen.line(line);
    return result;
  } catch (error) {
    text.end();
    screen.end("■");
    throw error;
  }
}

type Screen = {
  working(text: string): void;
  line(text: string): void;
  raw(text: string): void;
  end(mark: string): void;
};

function openSpinner(title: string): Screen {
  let status = "";
  let frame = 0;
  let hasEnded = false;
  const write = (text: string) => {
    if (!isSilent) process.stdout.write(text);
  };
  const draw = () => {
    const mark = FRAMES[frame++ % FRAMES.length];
    write(`${CLEAR_LINE}${mark}  ${cut(status === "" ? title : `${title}: ${status}`, columns() - 4)}`);
  };
  write("│\n");
  draw();
  const timer = setInterval(draw, FRAME_MS);
  return {
    working(text) {
      status = text;
    },
    line(text) {
      write(CLEAR_LINE);
      for (const part of wrap(text, columns() - GUIDE.length - 1)) write(`${GUIDE}${part}\n`);
      if (!hasEnded) draw();
    },
    raw(text) {
      clearInterval(timer); // text and spinner would share the last line
      write(text);
    },
    end(mark) {
      clearInterval(timer);
      hasEnded = true;
      write(`${CLEAR_LINE}${mark}  ${title}\n`);
    },
  };
}

function plainScreen(title: string): Screen {
  let last = "";
  const write = (text: string) => {
    if (!isSilent) process.stdout.write(text);
  };
  write(`\n${title}\n`);
  return {
    working(text) {
      const line = text.replace(/[█░]+ (\d*)\d %$/, (_, tens: string) => `${tens || ""}0 %`); // a line for each tenth
      if (line !== last) write(`${indent}${line}\n`);
      last = line;
    },
    line: (text) => write(`${indent}${text}\n`),
    raw: write,
    end() {},
  };
}

/** Text that comes in pieces, set between the margins. */
function openText(screen: Screen): { add(piece: string): void; end(): void } {
  let column = -1; // no text is open
  return {
    add(piece) {
      if (column < 0) {
        screen.raw(`${isTerminal ? CLEAR_LINE : ""}${indent}`);
        column = 0;
      }
      for (const [i, part] of piece.split("\n").entries()) {
        const breaks = i > 0 || column + part.length > columns() - GUIDE.length - 1;
        const shown = breaks ? part.trimStart() : part;
        if (breaks) screen.raw(`\n${indent}`);
        screen.raw(shown);
        column = (breaks ? 0 : column) + shown.length;
      }
    },
    end() {
      if (column >= 0) screen.raw("\n");
      column = -1;
    },
  };
}

function barOf(done: number, total: number): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const full = Math.round(share * BAR_WIDTH);
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)} ${Math.floor(share * 100)} %`;
}

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

function wrap(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  return [text.slice(0, width), ...wrap(`  ${text.slice(width)}`, width)];
}
