const MASK = "[masked]";
const MAX_DEPTH = 8;

/** Names of fields that no log may hold, without case, dashes and underscores: secrets, and what callers say and get. */
const HIDDEN_FIELDS = new Set(
  (
    "password passphrase privatekey secret mnemonic apikey authorization cookie setcookie paymentsignature keystore " +
    "databaseurl body messages prompt content text tokens hinttokens request claimed tensors"
  ).split(" "),
);

const PATTERNS: readonly [RegExp, string][] = [
  [/\bsk-[A-Za-z0-9_-]{6,}/g, `sk-${MASK}`],
  [/\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{6,}/gi, `$1 ${MASK}`],
  // password=..., "privateKey": "0x...", secret is ...: hashes look like private keys, so the name beside it decides
  [
    /\b(pass(?:word|phrase)|private[ _-]?key|secret|mnemonic|api[ _-]?key)(["']?\s*[:=]\s*|\s+is\s+)(?:"[^"]*"|'[^']*'|\S+)/gi,
    `$1$2${MASK}`,
  ],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi, `$1:${MASK}@`],
];

/** Text without API keys, bearer tokens, passwords in URLs, and values named as secrets. */
export function redactText(text: string): string {
  return PATTERNS.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text);
}

/**
 * A copy of what is to be logged: hidden fields masked at any depth, every text redacted, errors reduced to what helps,
 * bigints as decimal strings, bytes as their length.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "[deep]";
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return redactFields(value, depth);
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    message: redactText(error.message),
    stack: redactText(error.stack ?? ""),
    ...redactFields(error, depth),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}

function redactFields(value: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, isHidden(name) ? MASK : redact(member, depth + 1)]),
  );
}

function isHidden(name: string): boolean {
  return HIDDEN_FIELDS.has(name.replace(/[-_]/g, "").toLowerCase());
}
