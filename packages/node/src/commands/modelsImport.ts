import { readFileSync } from "node:fs";
import path from "node:path";
import { FoldmarkError } from "@foldmark/protocol";
import { families, importGguf, importMonteCarlo, openPackage } from "@foldmark/workloads";
import type { Command, CommandInput, CommandResult } from "./command.ts";
import { showSteps } from "./progress.ts";

/** What stands for the simulation, which needs no file. */
const MONTE_CARLO = "monte-carlo";

export const modelsImport: Command = {
  name: "models import",
  summary: "Convert a GGUF file to an integer model package (calibrates where the file is not known)",
  args: [{ name: "file", summary: `a GGUF file, or ${MONTE_CARLO} for the option pricing program` }],
  options: [
    { flags: "--dir <dir>", summary: "folder of the package; by default in the home folder" },
    { flags: "--name <name>", summary: "by default the file's own" },
    { flags: "--licence <spdx>", summary: "by default the file's own" },
    { flags: "--calibration <file>", summary: "text of the kind that the model will be asked about" },
    { flags: "--template <file>", summary: "chat template, for a file that brings none" },
    { flags: "--context <n>", summary: "longest prompt and answer together; at most the model's own" },
  ],
  async run(input) {
    const [file = ""] = input.args;
    return file === MONTE_CARLO ? packaged(input, MONTE_CARLO, importMonteCarlo) : importFile(input, file);
  },
};

/** Converts a file into the folder that the flags say, or one named after the file. `known` is what flags do not say. */
export async function importFile(
  input: CommandInput,
  file: string,
  known: { name?: string; licence?: string } = {},
): Promise<CommandResult> {
  const { options, context } = input;
  const steps = showSteps(context);
  return packaged(input, path.basename(file).replace(/\.gguf$/i, ""), (dir) =>
    importGguf(path.resolve(file), {
      dir,
      ...defined({
        name: text(options.name) ?? known.name,
        licence: text(options.licence) ?? known.licence,
        calibration: contentOf(options.calibration),
        template: contentOf(options.template),
        maxT: contextOf(options.context),
      }),
      onProgress: ({ step, done, total }) => steps.at(step, done, total),
    }).finally(() => steps.end()),
  );
}

async function packaged(
  { options, context }: CommandInput,
  name: string,
  write: (dir: string) => Promise<unknown>,
): Promise<CommandResult> {
  const dir = path.resolve(text(options.dir) ?? path.join(context.home.packages, name));
  await write(dir);
  const {
    manifest,
    assetId: asset,
    modelId,
    packageHash,
    sizeBytes,
    report,
  } = await openPackage(dir, { families, verify: "once" });
  const { licence, kind } = manifest;
  return {
    data: { name: manifest.name, kind, licence, asset, modelId, packageHash, sizeBytes, folder: dir, report },
    text: [
      `${manifest.name} (${licence}, ${(sizeBytes / 1e6).toFixed(1)} MB) is in ${dir}`,
      `asset ${asset}`,
      `next: \`foldmark init --model ${dir}\``,
    ].join("\n"),
  };
}

const text = (value: CommandInput["options"][string]): string | undefined =>
  typeof value === "string" ? value : undefined;

function contentOf(value: CommandInput["options"][string]): string | undefined {
  const file = text(value);
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new FoldmarkError("config.unreadable", `${file} cannot be read.`, { details: { file }, cause });
  }
}

function contextOf(value: CommandInput["options"][string]): number | undefined {
  if (value === undefined) return undefined;
  const count = Number(value);
  if (Number.isInteger(count) && count >= 2 && count <= 1 << 20) return count;
  throw new FoldmarkError("cli.usage", `--context is "${String(value)}".`, { hint: "Give a whole number of tokens." });
}

/** Without what was not given: an option that is there and undefined is not an option that is absent. */
function defined<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}
