// The tests that draw their cases, with ten times as many: what `npm test` runs a tenth of. A new seed each time, printed
// with every failure, unless SEED is given. With arguments: only those test files.
import { spawnSync } from "node:child_process";

const env = { ...process.env, FOLDMARK_DEEP: "1", SEED: process.env.SEED ?? "random" };
const only = process.argv.slice(2);
const steps = [
  ["hardhat", "build", "--build-profile", "production", "--no-tests"], // deployed bytecode is what is tested
  ["vitest", "run", ...(only.length > 0 ? only : ["test/court", "packages/machine/test/evidence.test.ts"])],
];
for (const [file = "", ...args] of steps) {
  const { status } = spawnSync(file, args, { stdio: "inherit", env, shell: process.platform === "win32" });
  if (status !== 0) process.exit(status ?? 1);
}
