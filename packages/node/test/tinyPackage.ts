import path from "node:path";
import {
  collectMaxima,
  convertLlama,
  DEFAULT_MONTE_CARLO,
  families,
  type LlamaConfiguration,
  monteCarloConstants,
  writePackage,
} from "@foldmark/workloads";
import { smallByteTokenizer } from "../../workloads/test/smallTokenizers.ts";
import { generator, randomLlama } from "../../workloads/test/support/tinyLlama.ts";
import { aFolder } from "./aFolder.ts";

function familyOf(name: string) {
  const family = families.get(name);
  if (!family) throw new Error(`no family ${name}`);
  return family;
}

/** A chat model of random weights as a package: 64 tokens, answers of any length within `maxT`. */
export async function tinyChatPackage({
  maxT = 64,
  stopIds = [] as number[],
} = {}): Promise<{ folder: string; configuration: LlamaConfiguration }> {
  const source = randomLlama({ context: maxT }, { sharpness: 3 });
  const random = generator(5);
  const sequences = Array.from({ length: 3 }, () =>
    Array.from({ length: 24 }, () => Math.floor(random() * source.shape.vocabulary)),
  );
  const maxima = await collectMaxima(source, sequences);
  const constants: Uint8Array[] = [];
  const configuration = await convertLlama(source, maxima, {
    ...{ maxT, stopIds },
    write({ index, bytes }) {
      constants[index] = bytes;
    },
  });
  const folder = path.join(aFolder(), "tiny");
  await writePackage(folder, {
    ...{ name: "tiny", licence: "Apache-2.0", family: { name: "llama", configuration } },
    built: familyOf("llama").build(configuration),
    constants: (index) => constants[index] ?? new Uint8Array(),
    chat: { tokenizer: smallByteTokenizer(), template: "{{ messages[0].content }}" },
    report: {},
  });
  return { folder, configuration };
}

export async function simulationPackage(): Promise<string> {
  const constants = monteCarloConstants().map(
    (table) => new Uint8Array(table.buffer, table.byteOffset, table.byteLength),
  );
  const folder = path.join(aFolder(), "options");
  await writePackage(folder, {
    ...{ name: "options", licence: "Apache-2.0", family: { name: "monte-carlo", configuration: DEFAULT_MONTE_CARLO } },
    built: familyOf("monte-carlo").build(DEFAULT_MONTE_CARLO),
    constants: (index) => constants[index] ?? new Uint8Array(),
    report: {},
  });
  return folder;
}
