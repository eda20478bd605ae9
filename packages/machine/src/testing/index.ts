// choices <- randomBytes, randomExpression <- randomProgram <- forge; for tests only: fast-check is no dependency of the package
export { type ForgedLeaf, forge, forgeOnward } from "./forge.ts";
export { type RandomJob, type RandomProgramOptions, randomJob } from "./randomProgram.ts";
