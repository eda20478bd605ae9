import { Worker } from "node:worker_threads";
import { WorkloadError } from "../errors.ts";
import { guardMessages } from "./guard.ts";
import type { ChatMessage } from "./message.ts";
import type { RenderOptions } from "./render.ts";
import { type ChatFormat, encodeGuarded, spellingsOf } from "./tokens.ts";

export type WorkerOptions = { deadlineMs?: number };

/** What the thread sends back: the text, or the error's fields. */
export type RenderReply = { text: string } | { code: string; message: string; details: Record<string, unknown> };

const DEADLINE_MS = 1_000;
const MEMORY_MB = 256;

/**
 * `renderChat` in a thread of its own, which is ended when the deadline has passed (1 s by default, counted from when the
 * thread is ready). Throws what `renderChat` throws, and `template.timeout`.
 */
export async function renderInWorker(
  template: string,
  messages: readonly ChatMessage[],
  { deadlineMs = DEADLINE_MS, ...options }: RenderOptions & WorkerOptions = {},
): Promise<string> {
  const worker = new Worker(new URL("./workerThread.ts", import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    execArgv: [],
    env: {},
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const reply = await new Promise<RenderReply>((resolve, reject) => {
      worker.once("error", (cause) => {
        const message = `The chat template ended its thread: ${cause instanceof Error ? cause.message : String(cause)}`;
        reject(new WorkloadError("template.failed", message, {}, { cause }));
      });
      worker.once("exit", (code) =>
        reject(new WorkloadError("template.failed", `The rendering thread ended with ${code}.`, { code })),
      );
      worker.once("online", () => {
        const timeout = new WorkloadError("template.timeout", `The chat template took longer than ${deadlineMs} ms.`, {
          deadlineMs,
        });
        timer = setTimeout(() => reject(timeout), deadlineMs);
      });
      worker.once("message", resolve);
      worker.postMessage({ template, messages, options });
    });
    if ("text" in reply) return reply.text;
    throw new WorkloadError(reply.code, reply.message, reply.details);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** `renderChatTokens` for a template from a stranger. */
export async function renderChatTokensInWorker(
  { tokenizer, template }: ChatFormat,
  messages: readonly ChatMessage[],
  options: RenderOptions & WorkerOptions = {},
): Promise<number[]> {
  const guarded = guardMessages(tokenizer, template, messages);
  const text = await renderInWorker(template, guarded.messages, { ...spellingsOf(tokenizer), ...options });
  return encodeGuarded(tokenizer, guarded, text);
}
