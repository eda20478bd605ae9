#!/usr/bin/env node
import path from "node:path";
import { codeOf, describe, EXIT, errorRow, FoldmarkError } from "@foldmark/protocol";
import { createLogger, fromText, leavesOf, loadConfig } from "@foldmark/service";
import { Command } from "commander";
import { createKey, listKeys, revokeKey } from "./commands/keys.ts";
import { gatewayConfig, storeConfig } from "./config.ts";
import { askRunning, type ControlRequest } from "./control/client.ts";
import { openKeystore, readPasswordFile } from "./keystore.ts";
import { openFolder, startGateway } from "./start.ts";
import { type Database, openStore } from "./store/open.ts";

const { DATABASE_URL } = process.env;
const ENVIRONMENT = {
  // the name that hosts of databases use
  variables: { ...(DATABASE_URL && { FOLDMARK_GATEWAY_DATABASE_URL: DATABASE_URL }), ...process.env },
  prefix: "FOLDMARK_GATEWAY_",
};

/** Settings that have a flag: those that are no group. */
const settings = new Map(
  [...leavesOf(gatewayConfig)].flatMap(([[name = "", ...rest], leaf]) =>
    rest.length === 0 ? [[name, leaf] as const] : [],
  ),
);
const STORE_SETTINGS = ["data", "databaseUrl"];

type Flags = { config?: string; [setting: string]: string | undefined };

const program = new Command("foldmark-gateway")
  .description("OpenAI-compatible services of the Foldmark market.")
  .showHelpAfterError();

withSettings(program.command("start").description("Serve requests until SIGTERM or SIGINT."), [
  ...settings.keys(),
]).action(async (flags: Flags) => {
  const config = await loadConfig(gatewayConfig, sourcesOf(flags));
  const log = createLogger({ name: "gateway", level: config.logLevel });
  const key = await openKeystore(config.keystore, await passwordOf(config.passwordFile));
  const gateway = await startGateway(config, { log, key, now: Date.now });
  const { url, address, models } = gateway;
  log.info({ event: "ready", url, address, models }, "serving");
  print({ event: "ready", url, address, models });
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, "stopping");
    gateway.stop().then(() => process.exit(EXIT.done), fail);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
});

const keys = program.command("keys").description("API keys of callers.");
withSettings(keys.command("create").description("Make a key; it is shown once."), STORE_SETTINGS)
  .requiredOption("--name <name>", "whose key it is")
  .requiredOption("--budget <amount>", "what it may spend, in whole tokens, such as 2.50")
  .action(({ name = "", budget = "", ...flags }: Flags) =>
    onStore(flags, {
      here: (db) => createKey(db, { name, budget }, Date.now()),
      there: { method: "POST", path: "/keys", body: { name, budget } },
    }),
  );
withSettings(keys.command("list").description("List the keys with what they have spent."), STORE_SETTINGS).action(
  (flags: Flags) => onStore(flags, { here: listKeys, there: { method: "GET", path: "/keys" } }),
);
withSettings(keys.command("revoke <id>").description("End a key."), STORE_SETTINGS).action((id: string, flags: Flags) =>
  onStore(flags, {
    here: (db) => revokeKey(db, id, Date.now()),
    there: { method: "POST", path: `/keys/${encodeURIComponent(id)}/revoke` },
  }),
);

program.parseAsync().catch(fail);

/** One flag for each setting that is no group, from its place in the schema. */
function withSettings(command: Command, names: readonly string[]): Command {
  command.option("--config <file>", "YAML file with settings");
  for (const [name, leaf] of settings)
    if (names.includes(name)) command.option(`--${kebab(name)} <value>`, leaf.description ?? "");
  return command;
}

function sourcesOf({ config, ...flags }: Flags) {
  const given = Object.entries(flags).flatMap(([name, text]) => {
    const leaf = settings.get(name);
    return leaf && text !== undefined ? [[name, fromText(leaf, text)] as const] : [];
  });
  return {
    ...(config !== undefined && { file: { path: config, isRequired: true } }),
    environment: ENVIRONMENT,
    flags: Object.fromEntries(given),
  };
}

/** Does a command of the `keys` group on the store, or lets the gateway do it that has the embedded one open. */
async function onStore(
  flags: Flags,
  { here, there }: { here: (db: Database) => Promise<unknown>; there: ControlRequest },
): Promise<void> {
  const { data, databaseUrl } = await loadConfig(storeConfig, sourcesOf(flags));
  if (databaseUrl) return print(await withStore({ url: databaseUrl }, here));
  try {
    await using _lock = await openFolder(data);
    print(await withStore({ folder: path.join(data, "db") }, here));
  } catch (error) {
    if (codeOf(error) !== "store.locked") throw error;
    print(await askRunning(data, there));
  }
}

async function withStore(where: Parameters<typeof openStore>[0], work: (db: Database) => Promise<unknown>) {
  const db = await openStore(where);
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

/** Never a flag and never asked for: a gateway is started by a supervisor, and flags can be read by others. */
async function passwordOf(file: string | undefined): Promise<string> {
  if (file !== undefined) return readPasswordFile(file);
  throw new FoldmarkError("config.invalid", "The keystore needs a password.", { hint: "Give --password-file FILE." });
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** One line that says what to do, and an exit code that is not 0. */
function fail(error: unknown): void {
  const text = error instanceof Error ? describe(error) : String(error);
  process.stderr.write(`foldmark-gateway: ${text.replace(/\s*\n\s*/g, " ")}\n`);
  process.exit(errorRow(error).exit);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
