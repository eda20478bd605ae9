import type { AcceptedRequest } from "./admission.ts";
import type { Outcome } from "./answerRun.ts";

/** Who looks on while requests are served: metrics and the log. Sees counts and amounts, never tokens. */
export type ServingWatch = {
  accepted(request: AcceptedRequest): { tokens(count: number): void; ended(outcome: Outcome): void };
  refused(code: string): void;
};
