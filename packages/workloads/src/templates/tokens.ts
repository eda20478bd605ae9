import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { type GuardedMessages, guardMessages } from "./guard.ts";
import type { ChatMessage } from "./message.ts";
import { type RenderOptions, renderChat } from "./render.ts";

/** What turns a conversation into tokens: both come from one model package. */
export type ChatFormat = { tokenizer: Tokenizer; template: string };

/**
 * The prompt of a conversation as token ids. Control tokens come from the template only: a message that spells
 * `<|im_start|>` is text about it. Throws what `renderChat` throws.
 */
export function renderChatTokens(
  { tokenizer, template }: ChatFormat,
  messages: readonly ChatMessage[],
  options: RenderOptions = {},
): number[] {
  const guarded = guardMessages(tokenizer, template, messages);
  const text = renderChat(template, guarded.messages, { ...spellingsOf(tokenizer), ...options });
  return encodeGuarded(tokenizer, guarded, text);
}

/** Tokens of a rendered text: control tokens where the template wrote them, text everywhere else. */
export function encodeGuarded(tokenizer: Tokenizer, guarded: GuardedMessages, text: string): number[] {
  return tokenizer
    .split(text)
    .flatMap((section) => ("id" in section ? [section.id] : tokenizer.encode(guarded.restore(section.text))));
}

/** What a template calls `bos_token` and `eos_token`. */
export const spellingsOf = ({ bos, eos, tokenOf }: Tokenizer): RenderOptions => ({
  ...(bos !== null && { bosToken: tokenOf(bos) }),
  ...(eos !== null && { eosToken: tokenOf(eos) }),
});
