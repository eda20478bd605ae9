/** What a request of the bench says: the part of OpenAI's chat completions that both servers understand. */
export type ChatBody = {
  model: string;
  messages: { role: "user"; content: string }[];
  max_completion_tokens: number;
  temperature: 0;
  stream: true;
  stream_options: { include_usage: true };
};

const WORDS = 72;
const STRIDE = 11;

/** Different texts of about a hundred tokens each; with the template around them a prompt of about 128. */
export function questions(text: string): string[] {
  const words = text.split(/\s+/);
  const starts = Array.from({ length: Math.floor((words.length - WORDS) / STRIDE) }, (_, i) => i * STRIDE);
  return starts.map((at) => words.slice(at, at + WORDS).join(" "));
}
