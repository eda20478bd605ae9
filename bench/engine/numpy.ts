import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

const VERSION = "2.4.6";

/** A Python script on one thread that answers a line of JSON with a line of JSON. */
export type Script<In, Out> = Disposable & { ask(question: In): Promise<Out> };

/** @throws where there is no Python 3 with pip, or numpy cannot be fetched */
export async function openScript<In, Out>(script: URL, { cacheDir }: { cacheDir: string }): Promise<Script<In, Out>> {
  const python = await installNumpy(cacheDir);
  const oneThread = { OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" };
  const child: ChildProcessWithoutNullStreams = spawn(python, [script.pathname], {
    env: { ...process.env, ...oneThread },
  });
  child.stderr.pipe(process.stderr);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script.pathname} ended`);
      return JSON.parse(value);
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}

/** Python with numpy in an environment of its own; the system's stays as it is. */
async function installNumpy(cacheDir: string): Promise<string> {
  const folder = path.join(cacheDir, `numpy-${VERSION}`);
  const python = path.join(folder, ...(process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"]));
  const installed = path.join(folder, "installed");
  if (existsSync(installed)) return python;
  await mkdir(cacheDir, { recursive: true });
  process.stderr.write(`installing numpy ${VERSION} into ${folder}\n`);
  run(process.platform === "win32" ? "py" : "python3", ["-m", "venv", folder]);
  run(python, ["-m", "pip", "install", "--quiet", "--only-binary=:all:", `numpy==${VERSION}`]);
  await writeFile(installed, "");
  return python;
}

function run(command: string, args: string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed${error ? `: ${error.message}` : ""}`);
}
