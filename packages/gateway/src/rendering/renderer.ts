import { Worker } from "node:worker_threads";
import { FoldmarkError } from "@foldmark/protocol";
import type { ChatMessage } from "../models/servedModel.ts";
import type { RenderReply, RenderTask } from "./worker.ts";

/** Renders conversations to tokens in a thread of its own, since templates and long texts take as long as they like. */
export type Renderer = {
  /**
   * Prompt tokens of a conversation, by template and tokenizer of the package in `dir`.
   * @throws `request.invalid` where the template refuses the messages or takes too long
   */
  render(dir: string, messages: readonly ChatMessage[]): Promise<number[]>;
  close(): Promise<void>;
};

export type RendererOptions = {
  /** For one conversation, in a thread that has opened its tokenizer. */
  deadlineMs?: number;
  /** For the first conversation of a package: its tokenizer is opened then. */
  openingMs?: number;
};

type Waiting = { resolve: (tokens: number[]) => void; reject: (error: unknown) => void };

/** One thread, one conversation at a time. A thread that misses a deadline is ended, and the next one takes its place. */
export function openRenderer({ deadlineMs = 5_000, openingMs = 30_000 }: RendererOptions = {}): Renderer {
  let thread: Worker | undefined;
  let opened = new Set<string>();
  let waiting: Waiting | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 1_024 },
    });
    worker.unref();
    // what a thread says after it has been ended belongs to a conversation that nobody waits for
    worker.on("message", (reply: RenderReply) => {
      if (thread !== worker) return;
      const current = waiting;
      waiting = undefined;
      if ("tokens" in reply) current?.resolve(reply.tokens);
      else current?.reject(refused(reply.message));
    });
    worker.on("error", (error) => {
      if (thread !== worker) return;
      thread = undefined;
      waiting?.reject(error);
      waiting = undefined;
    });
    opened = new Set();
    thread = worker;
    return worker;
  }

  async function run(task: RenderTask): Promise<number[]> {
    const worker = thread ?? start();
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    waiting = { resolve, reject };
    const timer = setTimeout(
      () => {
        waiting = undefined;
        if (thread === worker) thread = undefined;
        void worker.terminate();
        reject(refused("The model's chat template took too long for these messages."));
      },
      opened.has(task.dir) ? deadlineMs : openingMs,
    );
    opened.add(task.dir);
    worker.postMessage(task);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    render(dir, messages) {
      const mine = last.then(
        () => run({ dir, messages: [...messages] }),
        () => run({ dir, messages: [...messages] }),
      );
      last = mine;
      return mine;
    },
    async close() {
      await thread?.terminate();
      thread = undefined;
    },
  };
}

function refused(message: string): FoldmarkError {
  return new FoldmarkError("request.invalid", message, { details: { param: "messages" } });
}
