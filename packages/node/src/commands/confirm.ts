import { confirm as ask, isCancel } from "@clack/prompts";
import { FoldmarkError } from "@foldmark/protocol";
import type { CommandContext } from "./command.ts";

/** Asks before money moves. @throws `cli.no_terminal` where nobody can answer, `cli.usage` for a no */
export async function confirm({ isInteractive }: CommandContext, message: string): Promise<void> {
  if (!isInteractive)
    throw new FoldmarkError("cli.no_terminal", "This needs a confirmation, and there is no terminal to ask on.", {
      details: { question: message },
      hint: "Give --yes.",
    });
  const answer = await ask({ message });
  if (isCancel(answer) || !answer) throw new FoldmarkError("cli.usage", "Nothing was changed.");
}
