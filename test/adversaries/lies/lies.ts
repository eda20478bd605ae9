// Every lie by the name that the programs beside this file take.
import * as answers from "./answers.ts";
import * as arithmetic from "./arithmetic.ts";
import * as programs from "./programs.ts";
import * as trees from "./trees.ts";

export const LIES = { ...answers, ...arithmetic, ...programs, ...trees } as const;
export type LieName = keyof typeof LIES;
