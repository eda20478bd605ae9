import type { Families, Family } from "../packages/family.ts";
import { llamaFamily } from "./llama.ts";
import { monteCarloFamily } from "./monteCarlo.ts";

const known: Family[] = [llamaFamily, monteCarloFamily];

/** Every family that this version can rebuild. */
export const families: Families = new Map(known.map((family) => [family.name, family]));
