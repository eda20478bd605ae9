import { z } from "zod";
import type { ChatBody } from "./chatBody.ts";

export type Target = { url: string; headers: Record<string, string>; model: string };
export type Answered = { firstTokenMs: number; promptTokens: number; answerTokens: number };
export type Load = { seconds: number; answers: Answered[] };

const LIMIT = 64;
const chunk = z.looseObject({
  choices: z.array(z.looseObject({ delta: z.looseObject({ content: z.string().nullish() }) })),
  usage: z.looseObject({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
});

/** Asks every question, so many at a time: as one ends, the next begins. */
export async function load(
  target: Target,
  { questions, concurrency }: { questions: readonly string[]; concurrency: number },
): Promise<Load> {
  const waiting = [...questions];
  const answers: Answered[] = [];
  const start = performance.now();
  const client = async () => {
    for (let question = waiting.shift(); question !== undefined; question = waiting.shift())
      answers.push(await ask(target, question));
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return { seconds: (performance.now() - start) / 1_000, answers };
}

/** One answer as a stream, to its end. @throws where the server refuses, or the stream ends without saying what was used */
export async function ask({ url, headers, model }: Target, question: string): Promise<Answered> {
  const body: ChatBody = {
    ...{ model, messages: [{ role: "user", content: question }], max_completion_tokens: LIMIT },
    ...{ temperature: 0, stream: true, stream_options: { include_usage: true } },
  };
  const start = performance.now();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  let first: number | undefined;
  for await (const data of events(response)) {
    const { choices, usage } = chunk.parse(JSON.parse(data));
    if (choices[0]?.delta.content) first ??= performance.now();
    if (usage && first !== undefined)
      return { firstTokenMs: first - start, promptTokens: usage.prompt_tokens, answerTokens: usage.completion_tokens };
  }
  throw new Error(`the stream of ${url} ended before its usage`);
}

/** The data of each server-sent event. */
async function* events(response: Response): AsyncGenerator<string> {
  let text = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, data] = /^data: (.*)$/m.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (data !== undefined && data !== "[DONE]") yield data;
    }
  }
}
