// Runs every check and test, each with its time. With arguments: only vitest, with those arguments.
import { spawnSync } from "node:child_process";

type Step = { name: string; command: string[] };
const checks: Step[] = [
  { name: "contracts", command: ["hardhat", "test", "solidity", "--snapshot-check"] },
  // after the Solidity tests: vitest and Ignition then run on the bytecode that is deployed
  { name: "production build", command: ["hardhat", "build", "--build-profile", "production", "--no-tests"] },
  { name: "abi", command: ["node", "scripts/abi.ts", "--check"] },
  { name: "contract sizes", command: ["node", "scripts/size.ts"] },
  { name: "lint", command: ["biome", "check", "."] },
  { name: "solidity format", command: ["forge", "fmt", "--check"] },
  { name: "types", command: ["tsc", "-p", "."] },
];
const only = process.argv.slice(2);
const steps = only.length > 0 ? [] : checks;
for (const { name, command } of [...steps, { name: "tests", command: ["vitest", "run", ...only] }]) {
  console.log(`\n== ${name}`);
  const start = performance.now();
  const [file = "", ...args] = command;
  const { status } = spawnSync(file, args, { stdio: "inherit", shell: process.platform === "win32" });
  console.log(`== ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  if (status !== 0) {
    console.error(`== ${name} failed`);
    process.exit(status ?? 1);
  }
}
