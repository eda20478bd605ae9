import { FoldmarkError } from "@foldmark/protocol";
import type { ChatMessage } from "@foldmark/workloads";
import { z } from "zod";

const content = z.union([z.string(), z.array(z.looseObject({ type: z.literal("text"), text: z.string() })).min(1)]);
const messages = z.array(z.looseObject({ role: z.string(), content })).min(1);

const asked = z.looseObject({
  model: z.string().nullish(),
  messages,
  temperature: z.number().nullish(),
  min_p: z.number().nullish(),
  seed: z.int().nullish(),
  max_tokens: z.int().nullish(),
  max_completion_tokens: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
});

/** What a caller asked, in the words of `POST /v1/chat/completions`. What it left out it does not know. */
export type Asked = z.output<typeof asked> & {
  /** Nothing was left out: what is not there was not sent. */
  isWhole: boolean;
};

/**
 * Reads what a caller kept of its request: a whole body, or its list of messages alone.
 * @throws `request.invalid`
 */
export function parseAsked(json: unknown): Asked {
  const isWhole = !Array.isArray(json);
  const parsed = asked.safeParse(isWhole ? json : { messages: json });
  if (parsed.success) return { ...parsed.data, isWhole };
  throw new FoldmarkError("request.invalid", `The messages cannot be read: ${z.prettifyError(parsed.error)}`, {
    hint: "Give the list of messages, or the whole body that was sent to /v1/chat/completions.",
  });
}

/** The messages as the templates take them: plain text, and `developer` by its older name. */
export function plainMessages({ messages }: Asked): ChatMessage[] {
  return messages.map(({ role, content }) => ({
    role: role === "developer" ? "system" : role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
  }));
}

export function stopsOf({ stop }: Asked): string[] {
  return typeof stop === "string" ? [stop] : (stop ?? []);
}
