/**
 * One thing that a check looked at. `unchecked` is not a failure: the caller did not give what it takes to look, and the
 * detail says what that is.
 */
export type Finding = { check: CheckName; status: "holds" | "fails" | "unchecked"; detail: string };

/** In the order in which a receipt is read. */
export const CHECKS = [
  "receipt",
  "market",
  "model",
  "statement",
  "answer",
  "caller",
  "request",
  "text",
  "cut",
  "routing",
  "inputs",
  "price",
  "execution",
] as const;
export type CheckName = (typeof CHECKS)[number];

export const holds = (check: CheckName, detail: string): Finding => ({ check, status: "holds", detail });
export const fails = (check: CheckName, detail: string): Finding => ({ check, status: "fails", detail });
export const unchecked = (check: CheckName, detail: string): Finding => ({ check, status: "unchecked", detail });
