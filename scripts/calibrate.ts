import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  collectMaxima,
  corpusTokens,
  encodeMaxima,
  ggufLlama,
  knownMaxima,
  mixedCorpus,
  openGguf,
  openTokenizer,
  parseCorpus,
  tokenizerFromGguf,
} from "../packages/workloads/src/index.ts";

/**
 * Writes the calibration maxima of a GGUF file: `scripts/calibrate.ts MODEL.gguf [--calibration FILE] [--out FILE]`.
 * The file belongs into packages/workloads/src/calibration/maxima, with a line for its hash in knownMaxima.ts.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { calibration: { type: "string" }, out: { type: "string" } },
});
const [path] = positionals;
if (path === undefined) {
  console.error("usage: calibrate.ts MODEL.gguf [--calibration FILE] [--out FILE]");
  process.exit(2);
}

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const name = basename(path).replace(/\.gguf$/, ".maxima");
const out = values.out ?? join(root, "packages/workloads/src/calibration/maxima", name);

await using file = await openGguf(path);
const source = ggufLlama(file);
const parts =
  values.calibration === undefined ? await mixedCorpus() : parseCorpus(await readFile(values.calibration, "utf8"));
const template = file.metadata.has("tokenizer.chat_template")
  ? file.metadata.string("tokenizer.chat_template")
  : undefined;
const sequences = corpusTokens(parts, { tokenizer: openTokenizer(tokenizerFromGguf(file.metadata)), template });
const maxima = await collectMaxima(source, sequences, {
  progress: (done, of) => console.error(`layer ${done} of ${of}`),
});
await mkdir(dirname(out), { recursive: true });
await writeFile(out, encodeMaxima(maxima, source.shape));

const hash = createHash("sha256");
for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
const sha256 = hash.digest("hex");
console.log(`${maxima.tokens} tokens, largest residual ${maxima.residual}`);
console.log(`${sha256}: ${name}${(await knownMaxima(sha256, source.shape)) ? " (known)" : ""}`);
