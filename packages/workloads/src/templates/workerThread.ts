import { parentPort } from "node:worker_threads";
import { WorkloadError } from "../errors.ts";
import type { ChatMessage } from "./message.ts";
import { type RenderOptions, renderChat } from "./render.ts";
import type { RenderReply } from "./worker.ts";

type RenderRequest = { template: string; messages: ChatMessage[]; options: RenderOptions };

parentPort?.once("message", ({ template, messages, options }: RenderRequest) => {
  parentPort?.postMessage(replyTo(template, messages, options));
});

function replyTo(template: string, messages: ChatMessage[], options: RenderOptions): RenderReply {
  try {
    return { text: renderChat(template, messages, options) };
  } catch (error) {
    if (!(error instanceof WorkloadError)) throw error;
    return { code: error.code, message: error.message, details: { ...error.details } };
  }
}
