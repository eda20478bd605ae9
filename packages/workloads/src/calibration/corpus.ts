import { readFile } from "node:fs/promises";
import { WorkloadError } from "../errors.ts";
import type { ChatMessage } from "../templates/message.ts";
import { renderChatTokens } from "../templates/tokens.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";

/** A calibration text is read as parts: each is a text of its own, or a conversation. */
export type CorpusPart = { kind: "text"; text: string } | { kind: "chat"; messages: ChatMessage[] };

/** The mixed text that comes with this package: prose, code, questions, conversations, a little of other languages. */
export async function mixedCorpus(): Promise<CorpusPart[]> {
  return parseCorpus(await readFile(new URL("./corpus.txt", import.meta.url), "utf8"));
}

/**
 * Cuts a file into parts. A line `=== chat` starts a conversation, whose messages start with `role: ` at the beginning of
 * a line; any other line that starts with `=== ` starts a text. A file without such lines is one text.
 * @throws `calibration.empty` for a file without text
 */
export function parseCorpus(file: string): CorpusPart[] {
  const parts: CorpusPart[] = [];
  for (const section of `\n${file}`.split(/\n(?==== )/)) {
    const [, kind, body] = /^(?:=== (.*))?\n?([\s\S]*)$/.exec(section) ?? [];
    const text = (body ?? "").trim();
    if (text === "") continue;
    parts.push(kind?.trim() === "chat" ? { kind: "chat", messages: messagesOf(text) } : { kind: "text", text });
  }
  if (parts.length > 0) return parts;
  throw new WorkloadError("calibration.empty", "The calibration text is empty.", { characters: file.length });
}

function messagesOf(text: string): ChatMessage[] {
  return text.split(/\n(?=(?:system|user|assistant): )/).map((message) => {
    const [, role, content] = /^(system|user|assistant): ([\s\S]*)$/.exec(message) ?? [];
    if (role !== undefined && content !== undefined) return { role, content };
    const start = message.slice(0, 40);
    throw new WorkloadError(
      "calibration.chat",
      `A message starts with system:, user: or assistant:, not with "${start}".`,
      {
        start,
      },
    );
  });
}

/**
 * The parts as sequences of at most `length` tokens. Conversations are rendered by the model's template; where it has
 * none, or refuses the roles, they are read as plain text.
 */
export function corpusTokens(
  parts: readonly CorpusPart[],
  { tokenizer, template, length = 512 }: { tokenizer: Tokenizer; template?: string | undefined; length?: number },
): number[][] {
  const start = tokenizer.addsBos && tokenizer.bos !== null ? [tokenizer.bos] : [];
  return parts.flatMap((part) => {
    const tokens = part.kind === "chat" ? chatTokens(part.messages, tokenizer, template) : undefined;
    const text =
      part.kind === "text" ? part.text : part.messages.map(({ role, content }) => `${role}: ${content}`).join("\n");
    return chunks(tokens ?? [...start, ...tokenizer.encode(text)], length);
  });
}

function chatTokens(messages: ChatMessage[], tokenizer: Tokenizer, template: string | undefined): number[] | undefined {
  if (template === undefined) return undefined;
  try {
    return renderChatTokens({ tokenizer, template }, messages);
  } catch (error) {
    if (error instanceof WorkloadError && error.code.startsWith("template.")) return undefined;
    throw error;
  }
}

function chunks(tokens: number[], length: number): number[][] {
  return Array.from({ length: Math.ceil(tokens.length / length) }, (_, i) =>
    tokens.slice(i * length, (i + 1) * length),
  );
}
