import { parseLlamaConfiguration } from "../llama/configuration.ts";
import { llamaProgram } from "../llama/program.ts";
import type { Family } from "../packages/family.ts";

/** Decoder-only transformers: a chat answer is the tokens that the fold `sample` gives, step by step. */
export const llamaFamily: Family = {
  name: "llama",
  build(value) {
    const configuration = parseLlamaConfiguration(value);
    const { program, sample } = llamaProgram(configuration);
    return {
      program,
      kind: "chat",
      answers: [{ claimed: 0, stage: sample.stage, fold: sample.fold, shift: 1 }],
      length: "open",
      stopIds: configuration.stopIds,
    };
  },
};
