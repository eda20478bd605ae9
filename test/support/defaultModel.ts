// The default model for tests, fetched and converted by the product's own code and kept between runs: 92 MB are
// downloaded once.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { codeOf } from "@foldmark/protocol";
import { lockFolder } from "@foldmark/service";
import { DEFAULT_MODEL, families, fetchDefaultModel, importGguf, openPackage } from "@foldmark/workloads";

/** Home folder of the tests that need the model, in the layout that the demo uses. */
export const TEST_HOME =
  process.env.FOLDMARK_HOME ?? fileURLToPath(new URL("../../node_modules/.cache/foldmark", import.meta.url));
const CACHE = path.join(TEST_HOME, "cache");
const PACKAGE = path.join(CACHE, "packages", "smollm2");

/** The model's GGUF file; its hash was checked. */
export async function defaultGguf(): Promise<string> {
  await using _turn = await turn();
  return (await fetchDefaultModel({ cacheDir: CACHE })).path;
}

/** The model's package, converted now if no earlier run has left it. */
export async function defaultPackage() {
  const open = () => openPackage(PACKAGE, { families, verify: "once" });
  const found = await open().catch(() => undefined);
  if (found) return found;
  const gguf = await defaultGguf();
  await using _turn = await turn();
  const { name, licence } = DEFAULT_MODEL;
  await importGguf(gguf, { dir: PACKAGE, name, licence });
  return open();
}

/** One process at a time fetches or converts; the others wait for it. */
async function turn() {
  await mkdir(CACHE, { recursive: true });
  for (;;) {
    try {
      return await lockFolder(CACHE);
    } catch (error) {
      if (codeOf(error) !== "store.locked") throw error;
      await wait(500);
    }
  }
}
