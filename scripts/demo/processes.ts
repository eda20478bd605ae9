// Starts the processes of the story, waits for what they print, and ends every one of them however the story ends.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export type Running = {
  name: string;
  child: ChildProcess;
  /** The last lines it printed, newest last. */
  output: string[];
  /** SIGTERM, then SIGKILL when it has not left after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
  /** SIGKILL: what a power cut looks like. */
  kill(): Promise<void>;
};

const KEPT_LINES = 200;
const running = new Set<Running>();

let logs: string | undefined;
let started = 0;

/** From now on what a process prints also goes to a file of its own in this folder: `03-provider.log`. */
export function keepOutput(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  logs = folder;
}

function outputFile(name: string): (line: string) => void {
  const number = String(++started).padStart(2, "0");
  const file = logs && path.join(logs, `${number}-${name.replaceAll(" ", "-")}.log`);
  return (line) => file && appendFileSync(file, `${line}\n`);
}

const exited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

/**
 * Starts `node ARGS` and resolves when a line of its output satisfies `ready`, with what `ready` made of that line.
 * Rejects when it exits before, with its last lines.
 */
export async function start<Ready>(
  name: string,
  args: string[],
  options: {
    env?: Record<string, string>;
    cwd?: string;
    ready: (line: string) => Ready | undefined;
    onLine?: (line: string) => void;
  },
): Promise<{ process: Running; ready: Ready }> {
  const child = spawn(process.execPath, args, {
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  const entry: Running = {
    name,
    child,
    output,
    stop: async (graceMs = 10_000) => {
      if (!exited(child)) {
        const gone = once(child, "exit");
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
        await gone;
        clearTimeout(timer);
      }
      running.delete(entry);
    },
    kill: async () => {
      if (!exited(child)) {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
      }
      running.delete(entry);
    },
  };
  running.add(entry);
  const keep = outputFile(name);
  const ready = await new Promise<Ready>((resolve, reject) => {
    const line = (text: string) => {
      keep(text);
      output.push(text);
      if (output.length > KEPT_LINES) output.shift();
      options.onLine?.(text);
      const found = options.ready(text);
      if (found !== undefined) resolve(found);
    };
    // kept reading to the end: a closed pipe would kill the process at its next line
    for (const stream of [child.stdout, child.stderr]) if (stream) createInterface({ input: stream }).on("line", line);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      running.delete(entry);
      reject(
        new Error(
          `${name} ended (${signal ?? `exit code ${code}`}) before it was ready:\n${output.slice(-15).join("\n")}`,
        ),
      );
    });
  });
  return { process: entry, ready };
}

/** Runs `node ARGS` to its end and returns its standard output; rejects with its last lines when it fails. */
export async function run(
  name: string,
  args: string[],
  options: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
): Promise<string> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const entry: Running = { name, child, output: [], stop: async () => {}, kill: async () => {} };
  running.add(entry);
  const out: string[] = [];
  const all: string[] = [];
  const keep = outputFile(name);
  const read = (stream: Readable, use: (line: string) => void) =>
    createInterface({ input: stream }).on("line", (line) => {
      use(line);
      keep(line);
      all.push(line);
      options.onLine?.(line);
    });
  read(child.stdout, (line) => out.push(line));
  read(child.stderr, () => {});
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  running.delete(entry);
  if (code !== 0) throw new Error(`${name} failed (${signal ?? `exit code ${code}`}):\n${all.slice(-15).join("\n")}`);
  return out.join("\n");
}

/** Ends everything that still runs, the first (the chain, on which the others stand) last. */
export async function stopAll(): Promise<void> {
  const [first, ...others] = running;
  await Promise.all(others.map((entry) => entry.stop(STOP_MS)));
  await first?.stop(STOP_MS);
}
const STOP_MS = 5_000;

// the last resort: whatever way this process leaves, its children leave with it
process.on("exit", () => {
  for (const { child } of running) child.kill("SIGKILL");
});
