// Programs of ours as processes of their own.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const FOLDMARK = root("packages/node/src/main.ts");
const GATEWAY = root("packages/gateway/src/main.ts");
const running = new Set<ChildProcess>();

export type Ended = { code: number | null; signal: NodeJS.Signals | null; out: string; err: string };
export type Program = {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** What it has printed so far. */
  printed(): Pick<Ended, "out" | "err">;
};

export type ProgramOptions = {
  /** Beside PATH and HOME the only ones. */
  variables?: Record<string, string>;
  /** Another program than this Node. */
  program?: string | undefined;
};

/** Starts `node ARGS` in the folder of the project. */
export function startProgram(
  args: string[],
  { variables = {}, program = process.execPath }: ProgramOptions = {},
): Program {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(program, args, {
    cwd: root("."),
    env: { PATH, HOME, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const text = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk) => (text.out += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk) => (text.err += chunk));
  const ended = once(child, "close").then(([code, signal]) => {
    running.delete(child);
    return { code, signal, ...text };
  });
  return { child, ended, printed: () => ({ ...text }) };
}

/** `foldmark ARGS` in a home folder, to its end. */
export const foldmark = (home: string, args: string[]): Promise<Ended> =>
  startProgram([FOLDMARK, ...args], { variables: { FOLDMARK_HOME: home } }).ended;

/** `foldmark-gateway ARGS`, to its end. */
export const foldmarkGateway = (args: string[]): Promise<Ended> => startProgram([GATEWAY, ...args]).ended;

/** Ends every program that a test has left. */
export function killPrograms(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Every process below this one that runs now, by id. */
export function descendantsOf(pid: number): number[] {
  const parents = parentsOfAll();
  const below = (parent: number): number[] =>
    [...parents].filter(([, of]) => of === parent).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

/** Whether a process runs; one that has ended and waits to be asked for does not. */
export const isRunning = (pid: number): boolean => parentsOfAll().has(pid);

function parentsOfAll(): Map<number, number> {
  return new Map(existsSync("/proc/self/stat") ? fromProc() : fromPs());
}

function* fromProc(): Generator<[number, number]> {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, "utf8");
    } catch {
      continue; // it has ended since the folder was read
    }
    // pid (name, which may hold anything) state parent
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state !== "Z") yield [Number(name), Number(parent)];
  }
}

function* fromPs(): Generator<[number, number]> {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,state="], { encoding: "utf8" });
  for (const line of stdout.split("\n")) {
    const [pid, parent, state] = line.trim().split(/\s+/);
    if (pid && parent && !state?.startsWith("Z")) yield [Number(pid), Number(parent)];
  }
}
