import type { Home } from "../home.ts";

/** Where a command runs: its folder, the environment, and who reads what it says. */
export type CommandContext = {
  home: Home;
  variables: Record<string, string | undefined>;
  /** Somebody sits at a terminal and no `--json` was given. */
  isInteractive: boolean;
  /** What is going on, for people: standard error, nothing with `--json`. */
  say(line: string): void;
  /** Standard error, whatever was asked for. */
  err(text: string): void;
};

/** A flag. `setting` is the dotted path of the setting that it overrides. */
export type CommandOption = { flags: string; summary: string; setting?: string; isList?: boolean };

/** What a command found or did: `data` for `--json`, `text` for people; `exit` where it is not 0. */
export type CommandResult = { data: unknown; text: string; exit?: number };

export type CommandInput = {
  args: string[];
  options: Record<string, string | boolean | string[] | undefined>;
  /** Options that override settings, by dotted path. */
  flags: Record<string, unknown>;
  context: CommandContext;
};

/** One command. `name` may hold a noun and a verb, such as "models import". */
export type Command = {
  name: string;
  summary: string;
  args?: { name: string; summary: string; isOptional?: boolean }[];
  options?: CommandOption[];
  run(input: CommandInput): Promise<CommandResult>;
};

/** Flags that several commands share. */
export const OPTION = {
  rpc: {
    flags: "--rpc <url>",
    summary: "RPC endpoint of the chain; may be given again for a second one",
    setting: "network.rpc",
    isList: true,
  },
  deployment: {
    flags: "--deployment <file>",
    summary: "file with the market's addresses",
    setting: "network.deployment",
  },
  passwordFile: {
    flags: "--password-file <file>",
    summary: "file whose first line is the keystore's password",
    setting: "signer.passwordFile",
  },
  listen: {
    flags: "--listen <host:port>",
    summary: "address to listen on; port 0 takes a free one",
    setting: "serve.listen",
  },
  endpoint: { flags: "--endpoint <url>", summary: "URL that the chain shows, or auto", setting: "serve.endpoint" },
  model: {
    flags: "--model <dir>",
    summary: "folder of a model package to serve; may be given again",
    setting: "models",
    isList: true,
  },
  logLevel: { flags: "--log-level <level>", summary: "fatal, error, warn, info, debug", setting: "log.level" },
} as const satisfies Record<string, CommandOption>;
