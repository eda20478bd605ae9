import { WorkloadError } from "../errors.ts";

/** What a loader has to compare, in one place: the refusal names the file and both values. */
export function mustEqual(code: string, file: string, what: string, values: { expected: unknown; got: unknown }): void {
  if (values.expected === values.got) return;
  const message = `${file}: ${what} is ${String(values.got)}, expected ${String(values.expected)}.`;
  throw new WorkloadError(code, message, { file, what, ...values });
}
