// llama.cpp behind an HTTP server of the same shape as ours: `node llamaServer.ts FILE CACHE SEQUENCES`. A process of its
// own, on one thread; requests that come together are read and decoded together, as node-llama-cpp does it.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { listen } from "@foldmark/service";
import { openLlama } from "../llamaCpp/api.ts";
import type { ChatBody } from "./chatBody.ts";

const POSITIONS = 512;
const [file = "", cacheDir = "", sequences = "1"] = process.argv.slice(2);
const { model } = await openLlama(file, { cacheDir });
const context = await model.createContext({
  ...{ sequences: Number(sequences), contextSize: POSITIONS, batchSize: 512, threads: 1, flashAttention: true },
});

const server = createServer(async (request, response) => {
  const { messages, max_completion_tokens: limit }: ChatBody = JSON.parse(await text(request));
  const send = (data: object) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  const prompt = model.tokenize(chatMl(messages), true);
  const sequence = context.getSequence();
  response.writeHead(200, { "content-type": "text/event-stream" });
  let tokens = 0;
  for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
    tokens++;
    send({ choices: [{ index: 0, delta: { content: model.detokenize([token]) } }] });
    if (tokens === limit) break;
  }
  await sequence.dispose();
  send({ choices: [], usage: { prompt_tokens: prompt.length, completion_tokens: tokens } });
  response.end("data: [DONE]\n\n");
});

/** The template of the model's file for messages whose first is the user's. */
function chatMl(messages: ChatBody["messages"]): string {
  const system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
  const turns = [{ role: "system", content: system }, ...messages];
  return `${turns.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join("")}<|im_start|>assistant\n`;
}

const { url } = await listen(server, { host: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ event: "ready", url }));
