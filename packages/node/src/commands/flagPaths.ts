import path from "node:path";

/** Settings that name files or folders. */
const PATHS = new Set(["network.deployment", "signer.passwordFile", "signer.keystore", "models"]);

/** A flag's path is relative to where the command was typed; a setting's, to the home folder. */
export function flagValue(setting: string, value: unknown): unknown {
  if (!PATHS.has(setting) || value === undefined) return value;
  return Array.isArray(value) ? value.map((file) => path.resolve(String(file))) : path.resolve(String(value));
}
