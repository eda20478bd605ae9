import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseDocument } from "yaml";
import { readDeployment } from "../chain/market.ts";
import { readConfig } from "../config.ts";
import type { CommandInput } from "./command.ts";

/**
 * Writes the flags of a command into the settings file, so that later commands need none of them. What stands there
 * besides, comments too, is kept. The deployment is copied into the folder; other files are named by their full path.
 * @throws `config.invalid`, `config.unreadable`, `deployment.malformed`
 */
export async function saveSettings({ context, flags }: CommandInput): Promise<void> {
  const { home, variables } = context;
  const given = Object.entries(flags).flatMap(([setting, value]) =>
    value === undefined ? [] : [[setting, value] as const],
  );
  await readConfig(home, { variables, flags: Object.fromEntries(given) }); // what is wrong is not written
  mkdirSync(home.folder, { recursive: true, mode: 0o700 });
  if (given.length === 0) return;
  const document = parseDocument(existsSync(home.config) ? readFileSync(home.config, "utf8") : "");
  for (const [setting, value] of given) {
    if (setting === "network.deployment") {
      await readDeployment(String(value));
      if (value !== home.deployment) copyFileSync(String(value), home.deployment);
      document.setIn(setting.split("."), path.basename(home.deployment));
    } else document.setIn(setting.split("."), value);
  }
  writeFileSync(home.config, document.toString(), { mode: 0o600 });
}
