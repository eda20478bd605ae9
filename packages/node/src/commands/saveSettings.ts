import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Document, isScalar, parseDocument } from "yaml";
import { readDeployment } from "../chain/market.ts";
import { readConfig } from "../config.ts";
import { requirePasswordFile } from "../keystore/password.ts";
import { requirePackage } from "../packages/requirePackage.ts";
import type { CommandInput } from "./command.ts";

/**
 * Writes the flags of a command into the settings file, so that later commands need none of them. What stands there
 * besides, comments too, is kept. The deployment is copied into the folder; other files are named by their full path.
 * @throws `config.invalid`, `config.unreadable`, `deployment.malformed`, `package.missing`
 */
export async function saveSettings({ context, flags }: CommandInput): Promise<void> {
  const { home, variables } = context;
  const given = Object.entries(flags).flatMap(([setting, value]) =>
    value === undefined ? [] : [[setting, value] as const],
  );
  // what is wrong is not written
  const config = await readConfig(home, { variables, flags: Object.fromEntries(given) });
  if (flags.models !== undefined) config.models.forEach(requirePackage);
  if (typeof flags["signer.passwordFile"] === "string") requirePasswordFile(flags["signer.passwordFile"]);
  if (flags["network.deployment"] !== undefined) await readDeployment(config.network.deployment);
  mkdirSync(home.folder, { recursive: true, mode: 0o700 });
  if (given.length === 0) return;
  const document = parseDocument(existsSync(home.config) ? readFileSync(home.config, "utf8") : "");
  for (const [setting, value] of given) {
    if (setting === "network.deployment") {
      if (value !== home.deployment) copyFileSync(String(value), home.deployment);
      setIn(document, setting.split("."), path.basename(home.deployment));
    } else setIn(document, setting.split("."), value);
  }
  writeFileSync(home.config, document.toString(), { mode: 0o600 });
}

/** Sets a value. A document or section that holds nothing but null is empty, though YAML calls it a scalar. */
function setIn(document: Document, setting: readonly string[], value: unknown): void {
  if (isScalar(document.contents) && document.contents.value === null) document.contents = null;
  const section = setting.slice(0, -1);
  if (section.length > 0 && document.hasIn(section) && document.getIn(section) === null)
    document.setIn(section, document.createNode({}));
  document.setIn(setting, value);
}
