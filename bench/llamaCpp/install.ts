import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const VERSION = "3.21.1";
/** The packages with llama.cpp compiled for a CPU alone, by platform and architecture. */
const BINARIES: Record<string, string> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "darwin-x64": "mac-x64",
  "darwin-arm64": "mac-arm64-metal",
  "win32-x64": "win-x64",
  "win32-arm64": "win-arm64",
};

/**
 * Where node-llama-cpp can be imported from. It is no dependency of this project: what is compared with is fetched into
 * `cacheDir` when somebody compares, without install scripts and without the builds for graphics cards.
 */
export async function installLlamaCpp(cacheDir: string): Promise<URL> {
  const folder = path.join(cacheDir, `node-llama-cpp-${VERSION}`);
  const binary = BINARIES[`${process.platform}-${process.arch}`];
  if (binary === undefined)
    throw new Error(`there is no llama.cpp for ${process.platform} ${process.arch} to compare with`);
  if (!existsSync(path.join(folder, "installed"))) {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "package.json"), '{ "private": true }\n');
    const packages = [`node-llama-cpp@${VERSION}`, `@node-llama-cpp/${binary}@${VERSION}`];
    process.stderr.write(`installing ${packages.join(" and ")} into ${folder}\n`);
    const { status } = spawnSync("npm", ["install", "--ignore-scripts", "--omit=optional", "--no-audit", ...packages], {
      cwd: folder,
      env: { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" },
      stdio: ["ignore", "ignore", "inherit"],
      shell: process.platform === "win32",
    });
    if (status !== 0) throw new Error(`npm could not install ${packages.join(" and ")}`);
    await writeFile(path.join(folder, "installed"), "");
  }
  return pathToFileURL(path.join(folder, "node_modules", "node-llama-cpp", "dist", "index.js"));
}
