import { WorkloadError } from "../errors.ts";

/** One message of a conversation. Contents are text from anybody; the role decides which control tokens surround it. */
export type ChatMessage = { role: string; content: string; name?: string };

const ROLE = /^[a-z][a-z_]{0,31}$/;

/** Throws `template.messages` for a conversation without messages or with a role that is no plain word. */
export function checkMessages(messages: readonly ChatMessage[]): void {
  if (messages.length === 0) {
    throw new WorkloadError("template.messages", "A conversation needs at least one message.", { messages: 0 });
  }
  for (const [index, { role }] of messages.entries()) {
    if (ROLE.test(role)) continue;
    throw new WorkloadError(
      "template.messages",
      `The role of message ${index} is no role: ${JSON.stringify(role.slice(0, 40))}.`,
      {
        index,
        role,
      },
    );
  }
}
