import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { WorkloadError } from "../errors.ts";
import { type ChatMessage, checkMessages } from "./message.ts";

export type RenderOptions = {
  /** Whether the text ends where the model's answer begins. */
  addGenerationPrompt?: boolean;
  /** Spellings of the tokens that a template writes as `bos_token` and `eos_token`. */
  bosToken?: string;
  eosToken?: string;
  /** Most UTF-16 units of the rendered text. */
  maxLength?: number;
};

const MAX_TEMPLATE_LENGTH = 65_536;
const MAX_RANGE = 100_000;
const DEFAULT_MAX_LENGTH = 4 << 20;

/**
 * Renders a conversation with a model's chat template (Jinja). The same text on every machine and every day: a template
 * finds no clock and no randomness here.
 *
 * Warning: a template can loop for as long as it likes. Render one from a stranger with `renderInWorker`.
 *
 * Throws `template.too_long`, `template.invalid` (no Jinja), `template.refused` (the template's own words, for example
 * that roles must alternate), `template.failed` (it cannot be evaluated), `template.output_too_long`, `template.messages`.
 */
export function renderChat(template: string, messages: readonly ChatMessage[], options: RenderOptions = {}): string {
  const { addGenerationPrompt = true, bosToken, eosToken, maxLength = DEFAULT_MAX_LENGTH } = options;
  checkMessages(messages);
  const program = parseTemplate(template);

  const environment = new Environment();
  const variables = {
    ...GLOBALS,
    messages,
    add_generation_prompt: addGenerationPrompt,
    bos_token: bosToken,
    eos_token: eosToken,
  };
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);

  let text: unknown;
  try {
    text = new Interpreter(environment).run(program).value;
  } catch (cause) {
    if (cause instanceof WorkloadError) throw cause;
    const reason = messageOf(cause);
    throw new WorkloadError(
      "template.failed",
      `The chat template cannot be rendered: ${reason}`,
      { reason },
      { cause },
    );
  }
  if (typeof text !== "string") {
    throw new WorkloadError("template.failed", "The chat template gives no text.", { got: typeof text });
  }
  if (text.length > maxLength) {
    const message = `The rendered conversation has ${text.length} characters, at most ${maxLength} are taken.`;
    throw new WorkloadError("template.output_too_long", message, { length: text.length, most: maxLength });
  }
  return text;
}

function parseTemplate(template: string): ReturnType<typeof parse> {
  if (template.length > MAX_TEMPLATE_LENGTH) {
    const message = `The chat template has ${template.length} characters, at most ${MAX_TEMPLATE_LENGTH} are read.`;
    throw new WorkloadError("template.too_long", message, { length: template.length, most: MAX_TEMPLATE_LENGTH });
  }
  try {
    return parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true })); // as transformers reads them
  } catch (cause) {
    const reason = messageOf(cause);
    throw new WorkloadError("template.invalid", `The chat template is malformed: ${reason}`, { reason }, { cause });
  }
}

/** What a template finds besides the conversation. `strftime_now` is left out: it would give other tokens tomorrow. */
const GLOBALS: Record<string, unknown> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (reason: unknown) => {
    const words = String(reason).slice(0, 500);
    throw new WorkloadError("template.refused", `The model's chat template refuses these messages: ${words}`, {
      reason: words,
    });
  },
};

/** Python's `range`, as a list. */
function range(first: unknown, second?: unknown, third?: unknown): number[] {
  const [start, stop, step] = typeof second === "number" ? [first, second, third ?? 1] : [0, first, 1];
  if (![start, stop, step].every(Number.isSafeInteger) || step === 0) throw new Error("range() takes whole numbers.");
  const [from, to, by] = [start, stop, step] as [number, number, number];
  const length = Math.max(0, Math.ceil((to - from) / by));
  if (length > MAX_RANGE) throw new Error(`range() of ${length} numbers, at most ${MAX_RANGE} are made.`);
  return Array.from({ length }, (_, i) => from + i * by);
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).slice(0, 500);
