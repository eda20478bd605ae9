#!/usr/bin/env node
import { runCli } from "./cli.ts";

const exit = await runCli(process.argv.slice(2), {
  variables: process.env,
  isTerminal: process.stdin.isTTY === true && process.stderr.isTTY === true,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
// connections to the chain may be kept alive for seconds; nothing waits for them
process.exit(exit);
