/** The one error of the machine. `code` is dotted, stable and public; `details` holds the values that were wrong. */
export class MachineError extends Error {
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = "MachineError";
    this.code = code;
    this.details = details;
  }
}
