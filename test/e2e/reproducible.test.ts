// Every machine converts the default model to the same integers: an answer that was signed on one can be checked on another.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { DEFAULT_MODEL, importGguf } from "@foldmark/workloads";
import { afterAll, describe, expect, it } from "vitest";
import { defaultGguf } from "../support/defaultModel.ts";
import { startProgram } from "../support/programs.ts";
import { DEFAULT_MODEL_ID } from "./defaultModelId.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "foldmark-reproducible-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { name, licence } = DEFAULT_MODEL;
/** What the code uses and Node 20 lacks. */
const NEWER_FUNCTIONS = `
  Map.groupBy ??= (items, keyOf) => {
    const groups = new Map();
    for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
    return groups;
  };`;
const host = hostNode();
let packageHash: string;

describe("the conversion of the default model", () => {
  it("gives the model that the market knows", async () => {
    const written = await importGguf(await defaultGguf(), { dir: path.join(folder, "pinned"), name, licence });
    expect(written.manifest.modelId).toBe(DEFAULT_MODEL_ID);
    packageHash = written.packageHash;
  });

  it.skipIf(!host)(
    `gives the same under this machine's own Node, ${host?.version ?? "which is the pinned one"}`,
    async () => {
      const index = compiledFor20();
      const options = { dir: path.join(folder, "host"), name, licence };
      const script = `
      ${NEWER_FUNCTIONS}
      const { importGguf } = await import(${JSON.stringify(pathToFileURL(index).href)});
      const { manifest, packageHash } = await importGguf(${JSON.stringify(await defaultGguf())}, ${JSON.stringify(options)});
      console.log(process.version, manifest.modelId, packageHash);`;
      const { ended } = startProgram(["--input-type=module", "--eval", script], { program: host?.file });
      const out = `${host?.version} ${DEFAULT_MODEL_ID} ${packageHash}\n`;
      const { code: exit, out: printed, err } = await ended;
      expect({ exit, printed }, err).toEqual({ exit: 0, printed: out });
    },
  );
});

/** The first Node on the path that is not a dependency of ours, where its version is another. */
function hostNode(): { file: string; version: string } | undefined {
  for (const entry of (process.env.PATH ?? "").split(path.delimiter)) {
    const file = path.join(entry, "node");
    if (entry.includes("node_modules") || !existsSync(file)) continue;
    const version = spawnSync(file, ["--version"], { encoding: "utf8" }).stdout?.trim() ?? "";
    return version === process.version ? undefined : { file, version };
  }
  return undefined;
}

/** Machine and workloads as JavaScript of 2022, since an older Node runs no TypeScript; the path of workloads' index. */
function compiledFor20(): string {
  const out = path.join(folder, "packages");
  const entries = ["machine/src/index.ts", "machine/src/commitments/index.ts", "workloads/src/index.ts"];
  const options = [
    ...["--ignoreConfig", "--noCheck", "--target", "es2022", "--lib", "esnext", "--module", "nodenext"],
    ...["--types", "node", "--verbatimModuleSyntax", "--rewriteRelativeImportExtensions"],
    ...["--rootDir", "packages", "--outDir", out],
  ];
  const files = entries.map((entry) => `packages/${entry}`);
  const tsc = path.join(root, "node_modules", ".bin", "tsc");
  const { status, stdout } = spawnSync(tsc, [...options, ...files], { cwd: root, encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });

  for (const [pkg, entry] of Object.entries({ machine: "src/index.js", workloads: "src/index.js" })) {
    const [from, to] = [path.join(root, "packages", pkg), path.join(out, pkg)];
    const exported = { ".": `./${entry}`, "./commitments": "./src/commitments/index.js" };
    writeFileSync(
      path.join(to, "package.json"),
      JSON.stringify({ name: `@foldmark/${pkg}`, type: "module", exports: exported }),
    );
    // data files beside the code
    cpSync(path.join(from, "src"), path.join(to, "src"), { recursive: true, filter: (file) => !file.endsWith(".ts") });
    linkDependencies(path.join(from, "node_modules"), path.join(to, "node_modules"), out);
  }
  return path.join(out, "workloads", "src", "index.js");
}

function linkDependencies(from: string, to: string, ours: string): void {
  mkdirSync(to, { recursive: true });
  for (const dependency of readdirSync(from)) {
    const isScope = dependency.startsWith("@");
    if (dependency === "@foldmark") {
      mkdirSync(path.join(to, dependency));
      symlinkSync(path.join(ours, "machine"), path.join(to, dependency, "machine"));
    } else if (isScope) linkDependencies(path.join(from, dependency), path.join(to, dependency), ours);
    else if (!dependency.startsWith(".")) symlinkSync(path.join(from, dependency), path.join(to, dependency));
  }
}
