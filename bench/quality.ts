import { readFile } from "node:fs/promises";
import { openWasm } from "@foldmark/machine";
import { evaluate } from "@foldmark/workloads";
import type { BenchOptions } from "./main.ts";
import { benchModel } from "./model.ts";

const CHUNK_TOKENS = 512;

/**
 * How well the integers say what float32 says of the same weights: perplexity, agreement and divergence on the text of
 * `--text`, tokenised once without a start token, cut into chunks of 512 that are each read from position 0; the first
 * `--chunks` of them.
 */
export async function benchQuality(options: BenchOptions): Promise<Record<string, unknown>> {
  if (options.text === undefined) throw new Error("quality: name a text file with --text FILE");
  const { source, tokenizer, program, constants } = await benchModel(options);
  const tokens = tokenizer.encode(await readFile(options.text, "utf8"));
  const sequences = Array.from({ length: Math.min(options.chunks, Math.floor(tokens.length / CHUNK_TOKENS)) }, (_, i) =>
    tokens.slice(i * CHUNK_TOKENS, (i + 1) * CHUNK_TOKENS),
  );
  const engine = await openWasm(program.program, (index) => constants[index] ?? new Uint8Array());
  let shown = 0;
  const figures = await evaluate({
    source,
    engine,
    program,
    sequences,
    progress: (done, of) => {
      if (done - shown < 256 && done < of) return;
      shown = done;
      process.stderr.write(`\r${done} of ${of} tokens `);
    },
  });
  engine.close();
  process.stderr.write("\n");
  return { text: `${options.text.replace(/^.*\//, "")}, ${sequences.length} chunks of ${CHUNK_TOKENS}`, ...figures };
}
