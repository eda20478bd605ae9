/** The one error of the workloads. `code` is dotted, stable and public; `details` holds the values that were wrong. */
export class WorkloadError extends Error {
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = "WorkloadError";
    this.code = code;
    this.details = details;
  }
}
