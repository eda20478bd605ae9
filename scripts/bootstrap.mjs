// Runs under whatever Node came with npm. Installs the workspace with the pinned pnpm when a manifest has changed
// since the last install, then runs a script of package.json under the workspace's own Node.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const read = (file) => readFileSync(path.join(root, file), "utf8");
const shell = process.platform === "win32";
const env = { ...process.env, HARDHAT_DISABLE_TELEMETRY_PROMPT: "true" };

const pnpm = JSON.parse(read("package.json")).packageManager;
const stampFile = path.join(root, "node_modules", ".bootstrap-stamp");
const manifests = readdirSync(path.join(root, "packages")).map((name) => `packages/${name}/package.json`);
const inputs = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ...manifests].map(read);
const stamp = createHash("sha256")
  .update([...inputs, process.platform, process.arch].join("\0"))
  .digest("hex");

if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
  console.log("Installing the workspace (the first time takes about half a minute) ...");
  // CI=true: pnpm asks nothing, also when it has to rebuild node_modules
  const { status, error } = spawnSync(
    "npx",
    ["--yes", pnpm, "install", "--frozen-lockfile", "--reporter=append-only"],
    {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      shell,
      env: { ...env, CI: "true" },
    },
  );
  if (error || status !== 0) {
    console.error(`bootstrap: the install failed${error ? `: ${error.message}` : ""}. It needs the npm registry.`);
    process.exit(status || 1);
  }
  writeFileSync(stampFile, stamp);
}

const [script, ...args] = process.argv.slice(2);
if (script) {
  const node = path.join(root, "node_modules", ".bin", "node");
  const child = spawn(node, ["--run", script, "--", ...args], { cwd: root, stdio: "inherit", shell, env });
  // a terminal sends Ctrl-C to the whole group; only a signal sent to this process alone has to be passed on
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (status, signal) => process.exit(signal ? 128 + (signal === "SIGINT" ? 2 : 15) : (status ?? 1)));
}
