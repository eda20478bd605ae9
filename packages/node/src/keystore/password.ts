import { existsSync, readFileSync } from "node:fs";
import { isCancel, password as prompt } from "@clack/prompts";
import { FoldmarkError } from "@foldmark/protocol";

/**
 * The keystore's password: the first line of a file, or what a person types. Never a flag or the environment, where
 * other processes could read it.
 * @throws `config.unreadable`, and `cli.no_terminal` when there is neither file nor terminal
 */
export async function readPassword(file: string | undefined, { message }: { message: string }): Promise<string> {
  if (file !== undefined) {
    requirePasswordFile(file);
    return readFileSync(file, "utf8").split(/\r?\n/, 1)[0] ?? "";
  }
  if (!process.stdin.isTTY)
    throw new FoldmarkError("cli.no_terminal", "The keystore needs a password and there is no terminal to ask on.", {
      hint: "Give --password-file FILE.",
    });
  const typed = await prompt({ message });
  if (isCancel(typed)) throw new FoldmarkError("cli.usage", "No password was given.");
  return typed;
}

/** @throws `config.unreadable` */
export function requirePasswordFile(file: string): void {
  if (existsSync(file)) return;
  throw new FoldmarkError("config.unreadable", `There is no password file at ${file}.`, {
    details: { file },
    hint: "Give --password-file FILE, whose first line is the password.",
  });
}

/** Asked twice, so that a slip of the finger does not lock money away. */
export async function choosePassword(file: string | undefined): Promise<string> {
  const first = await readPassword(file, { message: "Password for the new keystore" });
  if (file !== undefined) return first;
  if ((await readPassword(undefined, { message: "The same again" })) !== first)
    throw new FoldmarkError("cli.usage", "The two passwords differ.");
  return first;
}
