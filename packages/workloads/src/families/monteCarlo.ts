import type { Family } from "../packages/family.ts";
import { monteCarloProgram, parseMonteCarloConfiguration } from "../simulations/monteCarlo.ts";
import { OPTION } from "../simulations/option.ts";

/** Options priced by simulation: the answer is the fold `result`, and the order says how many blocks T counts. */
export const monteCarloFamily: Family = {
  name: "monte-carlo",
  build(value) {
    const { program, result } = monteCarloProgram(parseMonteCarloConfiguration(value));
    return {
      program,
      kind: "simulation",
      answers: [{ claimed: 0, stage: result.stage, fold: result.fold }],
      length: { request: [0, OPTION.blocks.column] },
      stopIds: [],
    };
  },
};
