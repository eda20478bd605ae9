import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import type { ChatMessage } from "./message.ts";

/** Messages that a template may render without any of their text becoming a control token, and the way back. */
export type GuardedMessages = { messages: ChatMessage[]; restore(text: string): string };

/**
 * Hides control tokens that are spelled out in what people wrote. The first letter of each spelling is replaced by a
 * mark that occurs nowhere else, so that the rendered text holds only the control tokens of the template; `restore` puts
 * the letters back once those have been cut out. Everything else reaches the template unchanged, so it trims, joins and
 * compares as it does everywhere. Half a spelling at the end of a text counts too: the next text could complete it.
 */
export function guardMessages(
  tokenizer: Tokenizer,
  template: string,
  messages: readonly ChatMessage[],
): GuardedMessages {
  const spellings = [...tokenizer.control].map((id) => tokenizer.tokenOf(id));
  const texts = [template, ...messages.flatMap(({ content, name }) => [content, name ?? ""])];
  const mark = unusedMark(texts);
  const hide = (text: string): string => {
    const wellFormed = text.toWellFormed();
    const starts = spellingStarts(wellFormed, spellings);
    if (starts.length === 0) return wellFormed;
    let hidden = "";
    let from = 0;
    for (const start of starts) {
      const letter = String.fromCodePoint(wellFormed.codePointAt(start) ?? 0);
      hidden += `${wellFormed.slice(from, start)}${mark.open}${letter.codePointAt(0)?.toString(16)}${mark.close}`;
      from = start + letter.length;
    }
    return hidden + wellFormed.slice(from);
  };
  const hiddenLetter = new RegExp(`${mark.open}([0-9a-f]{1,6})${mark.close}`, "gu");
  return {
    messages: messages.map(({ role, content, name }) => ({
      role,
      content: hide(content),
      ...(name !== undefined && { name: hide(name) }),
    })),
    restore: (text) => text.replace(hiddenLetter, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16))),
  };
}

/** Where a whole spelling starts, or one that the end of the text (with or without its last spaces) cuts off. */
function spellingStarts(text: string, spellings: readonly string[]): number[] {
  const byLetter = Map.groupBy(spellings, (spelling) => spelling.charAt(0));
  const ends = [text.length, text.trimEnd().length];
  const starts: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const candidates = byLetter.get(text.charAt(at)) ?? [];
    const isStart = candidates.some(
      (spelling) =>
        text.startsWith(spelling, at) ||
        ends.some((end) => at < end && end - at < spelling.length && spelling.startsWith(text.slice(at, end))),
    );
    if (isStart) starts.push(at);
  }
  return starts;
}

/** Two letters of the private use area around a number that no text has there. */
function unusedMark(texts: readonly string[]): { open: string; close: string } {
  const close = "\ue001";
  for (let n = 0; ; n++) {
    const open = `\ue000${n}:`;
    if (texts.every((text) => !text.includes(open))) return { open, close };
  }
}
