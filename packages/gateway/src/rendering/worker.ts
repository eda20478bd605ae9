import { parentPort } from "node:worker_threads";
import { type ChatFormat, families, openPackage, renderChatTokens, WorkloadError } from "@foldmark/workloads";
import type { ChatMessage } from "../models/servedModel.ts";

// The thread behind `renderer.ts`: opens each package's tokenizer once and renders one conversation after the other.

export type RenderTask = { dir: string; messages: ChatMessage[] };
export type RenderReply = { tokens: number[] } | { message: string };

const formats = new Map<string, Promise<ChatFormat>>();

async function formatOf(dir: string): Promise<ChatFormat> {
  // the gateway has checked the package before it told this thread of it
  const { template, tokenizer } = await openPackage(dir, { families, verify: "sizes" });
  return { template, tokenizer: tokenizer() };
}

parentPort?.on("message", async ({ dir, messages }: RenderTask) => {
  try {
    const format = formats.get(dir) ?? formatOf(dir);
    formats.set(dir, format);
    parentPort?.postMessage({ tokens: renderChatTokens(await format, messages) } satisfies RenderReply);
  } catch (error) {
    if (!(error instanceof WorkloadError)) throw error;
    parentPort?.postMessage({ message: error.message } satisfies RenderReply);
  }
});
