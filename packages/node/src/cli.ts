import { codeOf, describe, EXIT, errorRow, FoldmarkError } from "@foldmark/protocol";
import { WorkloadError } from "@foldmark/workloads";
import { CommanderError, Option, Command as Program } from "commander";
import type { Command, CommandContext, CommandInput } from "./commands/command.ts";
import { flagValue } from "./commands/flagPaths.ts";
import { COMMANDS } from "./commands/index.ts";
import { homeOf } from "./home.ts";
import { VERSION } from "./version.ts";

/** What the command line touches of its process. */
export type CliDeps = {
  variables: Record<string, string | undefined>;
  isTerminal: boolean;
  out(text: string): void;
  err(text: string): void;
};

/** Version of what `--json` prints; a key never goes away without a new one. */
const JSON_VERSION = 1;

/**
 * Runs one command line. Standard output holds its result and nothing else; errors are one line with what to do.
 * @returns the exit code
 */
export async function runCli(args: readonly string[], deps: CliDeps): Promise<number> {
  const isJson = args.includes("--json");
  let exit = 0;
  const program = programOf(deps, async (command, input) => {
    const result = await command.run(input);
    exit = result.exit ?? 0;
    if (isJson) deps.out(json({ v: JSON_VERSION, ok: exit === 0, data: result.data }));
    else if (result.text !== "") deps.out(`${result.text}\n`);
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : reportUsage(error, args, { isJson, deps });
    return report(error, { isJson, deps });
  }
}

type Run = (command: Command, input: CommandInput) => Promise<void>;

function programOf(deps: CliDeps, run: Run): Program {
  const program = new Program("foldmark")
    .description("The provider node of Foldmark: serves models, signs answers, is paid.")
    .version(VERSION, "--version", "print the version")
    .addHelpText("after", "\nIts folder is FOLDMARK_HOME, or ~/.foldmark.");
  program.configureOutput({ writeOut: deps.out, writeErr: () => {} });
  const nouns = new Map<string, Program>();
  for (const command of COMMANDS) {
    const [noun, verb] = command.name.split(" ");
    const parent = verb === undefined ? program : nounOf(program, nouns, noun ?? "");
    add(parent, verb ?? noun ?? "", { command, run, deps });
  }
  for (const each of [program, ...nouns.values()]) {
    each.exitOverride().showHelpAfterError(false).helpCommand(false);
    each.action(() => {
      const [unknown] = each.args;
      if (unknown !== undefined) throw usage(`There is no command "${unknown}".`, each);
      throw usage("A command is needed.", each);
    });
    each.allowExcessArguments();
  }
  return program;
}

const usage = (message: string, program: Program) =>
  new FoldmarkError("cli.usage", message, {
    hint: `Commands: ${program.commands.map((command) => command.name()).join(", ")}. See \`foldmark --help\`.`,
  });

const NOUNS: Record<string, string> = {
  models: "Model packages on this machine",
  offers: "What this provider asks for its models",
  stake: "What this provider puts up for its answers",
  audit: "Other providers' answers, computed again",
  disputes: "Answers that somebody says are false",
};

function nounOf(program: Program, nouns: Map<string, Program>, name: string): Program {
  const known = nouns.get(name);
  if (known) return known;
  const noun = program.command(name).description(NOUNS[name] ?? name);
  nouns.set(name, noun);
  return noun;
}

function add(
  parent: Program,
  name: string,
  { command, run, deps }: { command: Command; run: Run; deps: CliDeps },
): void {
  const child = parent.command(name).description(command.summary).exitOverride();
  for (const { name: arg, summary, isOptional } of command.args ?? [])
    child.argument(isOptional ? `[${arg}]` : `<${arg}>`, summary);
  const options = command.options ?? [];
  for (const { flags, summary, isList } of options) {
    const option = new Option(flags, summary);
    if (isList) option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
    child.addOption(option);
  }
  child.addOption(new Option("--json", "print one JSON document instead of text"));
  child.action(async () => {
    const given: CommandInput["options"] = child.opts();
    const flags: Record<string, unknown> = {};
    for (const { flags: text, setting } of options)
      if (setting) flags[setting] = flagValue(setting, given[new Option(text).attributeName()]);
    const isJson = given.json === true;
    const context: CommandContext = {
      home: homeOf(deps.variables),
      variables: deps.variables,
      isInteractive: deps.isTerminal && !isJson,
      err: deps.err,
      say: (line) => {
        if (!isJson) deps.err(`${line}\n`);
      },
    };
    await run(command, { args: child.args, options: given, flags, context });
  });
}

type Reporting = { isJson: boolean; deps: CliDeps };

function reportUsage(error: CommanderError, args: readonly string[], { isJson, deps }: Reporting): number {
  const command = COMMANDS.find(({ name }) => name === args.slice(0, name.split(" ").length).join(" "));
  const message = error.message.replace(/^error: /, "");
  return report(
    new FoldmarkError("cli.usage", `${message[0]?.toUpperCase()}${message.slice(1)}.`.replace(/\.\.$/, "."), {
      hint: command ? `See \`foldmark ${command.name} --help\`.` : "See `foldmark --help`.",
    }),
    { isJson, deps },
  );
}

function report(error: unknown, { isJson, deps }: Reporting): number {
  const exit = exitOf(error);
  const code = codeOf(error);
  const message = error instanceof Error ? describe(error) : String(error);
  if (isJson) {
    const { hint, details } = error instanceof FoldmarkError ? error : { hint: undefined, details: detailsOf(error) };
    deps.out(
      json({
        v: JSON_VERSION,
        ok: false,
        error: { code, message: error instanceof Error ? error.message : message, hint, details },
        exit,
      }),
    );
  }
  deps.err(`foldmark: ${message.replace(/\s*\n\s*/g, " ")}\n`);
  if (code === "internal.bug" && error instanceof Error) deps.err(`${error.stack}\n`);
  return exit;
}

/** The workloads' codes are their own: a file that cannot be had, a damaged package, or else a bad file or request. */
function exitOf(error: unknown): number {
  if (!(error instanceof WorkloadError)) return errorRow(error).exit;
  if (error.code === "model.unavailable" || error.code.startsWith("download.")) return EXIT.chain;
  return error.code.startsWith("package.") ? EXIT.damaged : EXIT.usage;
}

const detailsOf = (error: unknown) => (error instanceof WorkloadError ? error.details : {});

const json = (value: unknown) =>
  `${JSON.stringify(value, (_key, member) => (typeof member === "bigint" ? member.toString() : member))}\n`;
