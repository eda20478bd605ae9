import { homedir } from "node:os";
import path from "node:path";

/** Where a node keeps what it has: one folder for one payee. */
export type Home = {
  folder: string;
  config: string;
  deployment: string;
  ledger: string;
  packages: string;
  /** Unix socket of the running node; commands talk to it. */
  socket: string;
};

/** `FOLDMARK_HOME`, or `~/.foldmark`. */
export function homeOf(variables: Record<string, string | undefined>): Home {
  const folder = path.resolve(variables.FOLDMARK_HOME ?? path.join(homedir(), ".foldmark"));
  const at = (name: string) => path.join(folder, name);
  return {
    ...{ folder, config: at("foldmark.yaml"), deployment: at("deployment.json"), ledger: at("ledger") },
    ...{ packages: at("packages"), socket: at("node.sock") },
  };
}
