/** `type` of an OpenAI error object. */
export type OpenAiErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "permission_error"
  | "insufficient_quota"
  | "rate_limit_error"
  | "server_error";

/** How the edges show one code: HTTP status, exit code of a command, OpenAI `type`, and OpenAI `code` where clients know a name. */
export type ErrorRow = { status: number; exit: number; type: OpenAiErrorType; openAiCode?: string };

/** Exit codes of our commands. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  checkFailed: 3,
  chain: 4,
  notRunning: 5,
  funds: 6,
  transaction: 7,
  damaged: 8,
  otherInstance: 9,
} as const;

const invalid = (status: number, exit: number = EXIT.usage): ErrorRow => ({
  status,
  exit,
  type: "invalid_request_error",
});
const server = (status: number, exit: number): ErrorRow => ({ status, exit, type: "server_error" });
const funds = (status: number): ErrorRow => ({ status, exit: EXIT.funds, type: "insufficient_quota" });

/** Every code that we throw. Codes are public: a code keeps its name and its meaning. */
export const ERRORS = {
  // what a caller sent
  "request.invalid": invalid(400),
  "request.invalid_json": invalid(400),
  "request.unsupported_parameter": { ...invalid(400), openAiCode: "unsupported_parameter" },
  "request.unknown_parameter": { ...invalid(400), openAiCode: "unknown_parameter" },
  "request.content_type": invalid(415),
  "request.too_large": invalid(413),
  "request.not_found": invalid(404),
  "request.method_not_allowed": invalid(405),
  "request.context_length": { ...invalid(400), openAiCode: "context_length_exceeded" },
  "request.idempotency_conflict": invalid(409),
  "request.cancelled": invalid(499),
  "model.unknown": { ...invalid(404), openAiCode: "model_not_found" },
  "model.wrong_kind": invalid(400),
  "model.alias_taken": invalid(409),
  "receipt.unknown": invalid(404),
  "receipt.malformed": invalid(400, EXIT.checkFailed),
  "receipt.check_failed": invalid(422, EXIT.checkFailed),
  // who a caller is, and what it may spend
  "auth.missing_key": { status: 401, exit: EXIT.usage, type: "authentication_error", openAiCode: "invalid_api_key" },
  "auth.invalid_key": { status: 401, exit: EXIT.usage, type: "authentication_error", openAiCode: "invalid_api_key" },
  "auth.not_allowed": { status: 403, exit: EXIT.usage, type: "permission_error" },
  "budget.exhausted": { ...funds(402), openAiCode: "insufficient_balance" },
  "price.above_cap": funds(402),
  "rate.limited": { status: 429, exit: EXIT.chain, type: "rate_limit_error", openAiCode: "rate_limit_exceeded" },
  // a gateway's providers
  "provider.none": server(503, EXIT.chain),
  "provider.all_failed": server(503, EXIT.chain),
  "provider.mismatch": { ...server(502, EXIT.checkFailed), openAiCode: "provider_mismatch" },
  "provider.unreachable": server(502, EXIT.chain),
  "provider.stalled": server(504, EXIT.chain),
  "provider.malformed": server(502, EXIT.checkFailed),
  "provider.answer_refused": server(502, EXIT.checkFailed),
  "provider.endpoint_refused": server(502, EXIT.usage),
  // a provider node's answers
  "node.busy": { status: 429, exit: EXIT.chain, type: "rate_limit_error" },
  "node.not_serving": server(503, EXIT.notRunning),
  "node.draining": server(503, EXIT.notRunning),
  "node.not_running": server(503, EXIT.notRunning),
  "price.changed": invalid(409),
  "answer.unknown": invalid(404),
  "cut.out_of_range": invalid(400),
  "node.starting": server(503, EXIT.notRunning),
  "voucher.missing": funds(402),
  "voucher.invalid": funds(402),
  "voucher.wrong_signer": funds(402),
  "voucher.stale": funds(402),
  "voucher.too_low": funds(402),
  "channel.exhausted": funds(402),
  "stake.too_low": { status: 503, exit: EXIT.funds, type: "server_error" },
  "gas.too_low": { status: 503, exit: EXIT.funds, type: "server_error" },
  // engine, programs and packages
  "engine.out_of_memory": server(503, EXIT.chain),
  "engine.failed": server(500, EXIT.bug),
  "engine.known_answer": server(500, EXIT.damaged),
  "package.damaged": server(500, EXIT.damaged),
  "package.mismatch": server(500, EXIT.damaged),
  "package.missing": server(503, EXIT.damaged),
  "package.malformed": invalid(400, EXIT.damaged),
  "model_file.malformed": invalid(400),
  "model_file.unsupported": invalid(400),
  "model_file.missing": invalid(404),
  "download.failed": server(502, EXIT.chain),
  "download.wrong_hash": server(502, EXIT.damaged),
  // chain
  "chain.unreachable": server(503, EXIT.chain),
  "chain.wrong_id": server(503, EXIT.usage),
  "chain.no_contract": server(503, EXIT.usage),
  "chain.reorg_too_deep": server(503, EXIT.chain),
  "chain.reverted": server(502, EXIT.transaction),
  "chain.insufficient_funds": server(502, EXIT.funds),
  "deployment.malformed": invalid(400),
  // process and folder
  "config.invalid": invalid(400),
  "config.unreadable": invalid(400),
  "listen.address_in_use": server(500, EXIT.usage),
  "listen.failed": server(500, EXIT.usage),
  "store.locked": server(503, EXIT.otherInstance),
  "store.damaged": server(500, EXIT.damaged),
  "store.disk_full": server(503, EXIT.damaged),
  "keystore.missing": invalid(404),
  "keystore.wrong_password": invalid(403),
  "keystore.malformed": invalid(400, EXIT.damaged),
  "keystore.permissions": invalid(403),
  "cli.usage": invalid(400),
  "cli.no_terminal": invalid(400, EXIT.checkFailed),
  "check.failed": invalid(422, EXIT.checkFailed),
  // values of this package
  "money.out_of_range": invalid(400),
  "id.malformed": invalid(400),
  "signature.malformed": invalid(400),
  "statement.malformed": invalid(400),
  "canonical_json.unsupported": server(500, EXIT.bug),
  "internal.bug": server(500, EXIT.bug),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export type ErrorExtras = {
  /** The values that were wrong, JSON-ready. */
  details?: Record<string, unknown>;
  /** What the reader can do about it. */
  hint?: string;
  cause?: unknown;
};

/** The one error of every package but the machine. The message says what happened, the hint what to do. */
export class FoldmarkError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, { details = {}, hint, cause }: ErrorExtras = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "FoldmarkError";
    this.code = code;
    this.details = details;
    this.hint = hint;
  }
}

/** The dotted code of anything thrown; what has none is a bug. */
export function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string")
    return error.code.includes(".") ? error.code : "internal.bug";
  return "internal.bug";
}

/**
 * How the edges show an error. Looks at `code` alone, so it also knows the machine's own errors and those of model
 * packages: what they refuse is damaged or hostile data, never a bug of the process.
 */
export function errorRow(error: unknown): ErrorRow {
  const code = codeOf(error);
  if (Object.hasOwn(ERRORS, code)) return ERRORS[code as ErrorCode];
  if (code.startsWith("machine.") || code.startsWith("program.")) return invalid(422, EXIT.damaged);
  if (code.startsWith("package.")) return server(500, EXIT.damaged);
  return ERRORS["internal.bug"];
}

/** OpenAI's error object. Internals of an unexpected error are not shown to a caller. */
export function openAiError(error: unknown, { param = null }: { param?: string | null } = {}) {
  const row = errorRow(error);
  const code = codeOf(error);
  const message =
    code === "internal.bug" || !(error instanceof Error) ? "The server had an internal error." : describe(error);
  return { error: { message, type: row.type, param: paramOf(error) ?? param, code: row.openAiCode ?? code } };
}

/** Message and hint in one line. */
export function describe(error: Error): string {
  return error instanceof FoldmarkError && error.hint ? `${error.message} ${error.hint}` : error.message;
}

function paramOf(error: unknown): string | undefined {
  return error instanceof FoldmarkError && typeof error.details.param === "string" ? error.details.param : undefined;
}
