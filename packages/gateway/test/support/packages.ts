import { join } from "node:path";
import { DEFAULT_MONTE_CARLO, families, monteCarloConstants, openPackage, writePackage } from "@foldmark/workloads";
import { smallByteTokenizer } from "../../../workloads/test/smallTokenizers.ts";
import { converted, randomLlama } from "../../../workloads/test/support/tinyLlama.ts";

const TEMPLATE =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** A chat model with random weights and a real tokenizer: small enough to be made in a test. */
export async function writeTinyChat(folder: string, { name = "tiny-chat", template = TEMPLATE } = {}) {
  const dir = join(folder, name);
  const tokenizer = smallByteTokenizer();
  const { configuration, constants, model } = await converted(
    randomLlama({ vocabulary: tokenizer.tokens.length, context: 128 }),
    { maxT: 128, stopIds: [2, 0] },
  );
  await writePackage(dir, {
    name: "tiny chat",
    licence: "Apache-2.0",
    family: { name: "llama", configuration },
    built: model,
    constants: (index) => constants[index] as Uint8Array,
    report: { note: "random weights" },
    chat: { tokenizer, template },
  });
  return openPackage(dir, { families });
}

/** The option pricer. */
export async function writeMonteCarlo(folder: string) {
  const dir = join(folder, "monte-carlo");
  const built = families.get("monte-carlo")?.build(DEFAULT_MONTE_CARLO);
  if (!built) throw new Error("no family monte-carlo");
  const constants = monteCarloConstants();
  await writePackage(dir, {
    name: "european call",
    licence: "Apache-2.0",
    family: { name: "monte-carlo", configuration: DEFAULT_MONTE_CARLO },
    built,
    constants: (index) => {
      return constants[index] as Uint8Array;
    },
    report: { note: "known constants" },
  });
  return openPackage(dir, { families });
}
