// choices <- randomBytes, randomExpression <- randomProgram; for tests only: fast-check is no dependency of the package
export { type ForgedLeaf, forge } from "./forge.ts";
export { type RandomJob, type RandomProgramOptions, randomJob } from "./randomProgram.ts";
