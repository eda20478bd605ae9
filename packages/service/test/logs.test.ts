import { describe, expect, it } from "vitest";
import { createLogger, redactText } from "../src/index.ts";

const SECRETS = [
  "sk-abcdef0123456789",
  "hunter2",
  "eyJhbGciOiJIUzI1NiJ9.payload",
  "What is my diagnosis?",
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
];
const [apiKey, password, jwt, prompt, privateKey] = SECRETS as [string, string, string, string, string];

function logged(write: (log: ReturnType<typeof createLogger>) => void) {
  const lines: string[] = [];
  write(createLogger({ name: "test", level: "trace", destination: { write: (line) => void lines.push(line) } }));
  return lines;
}

describe("a log", () => {
  it("holds no secret and no prompt, whichever way it is handed in", () => {
    const failure = new Error(`login with password=${password} failed for ${apiKey}`, {
      cause: new Error(`Bearer ${jwt}`),
    });
    Object.assign(failure, { details: { privateKey, nested: { messages: [{ content: prompt }] } } });
    const lines = logged((log) => {
      log.info({ password, passphrase: password, private_key: privateKey, "api-key": apiKey, apiKey }, "fields");
      log.info(
        {
          req: { headers: { authorization: `Bearer ${jwt}`, "payment-signature": jwt, cookie: jwt }, body: { prompt } },
        },
        "deep",
      );
      log.info({ list: [{ a: { b: { c: { text: prompt, messages: prompt } } } }] }, "deeper");
      log.info(`text with ${apiKey}`);
      log.info({ url: `postgres://user:${password}@db/x`, databaseUrl: password }, `Authorization: Bearer ${jwt}`);
      log.info("format %s", apiKey);
      log.error(failure, "an error alone");
      log.error({ err: failure, error: failure }, "errors in fields");
      log.error(failure);
      log.child({ password, key: apiKey }).info("child");
      log.warn({ note: `privateKey: "${privateKey}"`, json: JSON.stringify({ password }) }, "texts in fields");
    });
    expect(lines).toHaveLength(11);
    for (const line of lines) for (const secret of SECRETS) expect(line).not.toContain(secret);
  });

  it("keeps what a reader needs: hashes, codes, amounts, messages, stacks", () => {
    const hash = `0x${"ab".repeat(32)}`;
    const failure = Object.assign(new Error("The voucher is stale."), {
      code: "voucher.stale",
      details: { ceiling: 12n },
    });
    const [line = ""] = logged((log) =>
      log.warn({ channelId: hash, amount: 5n, err: failure, bytes: new Uint8Array(3) }, "voucher refused"),
    );
    expect(JSON.parse(line)).toMatchObject({
      level: "warn",
      name: "test",
      msg: "voucher refused",
      channelId: hash,
      amount: "5",
      bytes: "[3 bytes]",
      err: {
        type: "Error",
        message: "The voucher is stale.",
        code: "voucher.stale",
        details: { ceiling: "12" },
        stack: expect.stringContaining("logs.test"),
      },
    });
  });

  it("survives values that contain themselves", () => {
    const loop: Record<string, unknown> = { name: "loop" };
    loop.self = loop;
    expect(logged((log) => log.info({ loop }, "round")).join()).toContain("[deep]");
  });

  it("says nothing below its level", () => {
    const lines: string[] = [];
    createLogger({ name: "quiet", level: "warn", destination: { write: (line) => void lines.push(line) } }).info(
      "hidden",
    );
    expect(lines).toEqual([]);
  });
});

it("redactText leaves ordinary sentences alone", () => {
  const text = "The basic model served 3 tokens of task-based work; ask-price unchanged at http://127.0.0.1:8420/x.";
  expect(redactText(text)).toBe(text);
});
