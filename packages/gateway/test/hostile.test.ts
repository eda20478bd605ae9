import { checkRouting, parseAmount, parseReceipt } from "@foldmark/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openWorld, type World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.reset();
  world.setAnswer(TEXT);
});

const TEXT = "the quick brown fox jumps over the lazy dog";
const chat = (over: object = {}) => ({
  model: "tiny-chat",
  messages: [{ role: "user", content: "the house" }],
  seed: 1,
  temperature: 0,
  ...over,
});

type Init = { key?: string; signal?: AbortSignal; headers?: Record<string, string> };

const send = (body: unknown, { key = world.keys.rich.key, signal, headers = {} }: Init = {}) =>
  fetch(`${world.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });

/** The data of a stream's events, and its text. */
async function streamed(over: object = {}, init: Init = {}) {
  const raw = await (await send(chat({ stream: true, ...over }), init)).text();
  const events = raw.split("\n\n").filter(Boolean);
  expect(events.every((event) => /^data: [^\n\r]*$/.test(event))).toBe(true);
  const chunks = events.filter((event) => event !== "data: [DONE]").map((event) => JSON.parse(event.slice(6)));
  return { raw, chunks, text: chunks.map(({ choices }) => choices?.[0]?.delta.content ?? "").join("") };
}

async function keyOf(name: keyof World["keys"]) {
  const key = (await world.keyList()).keys.find(({ id }) => id === world.keys[name].id);
  if (!key) throw new Error(`no key ${name}`);
  return key;
}
const nothingSetAside = (name: keyof World["keys"]) =>
  expect.poll(async () => (await keyOf(name)).reserved, { timeout: 10_000 }).toBe("0");

async function receiptOf(id: string) {
  const response = await fetch(`${world.gateway.url}/v1/receipts/${id}`, {
    headers: { authorization: `Bearer ${world.keys.rich.key}` },
  });
  return parseReceipt(await response.json());
}

describe("a budget", () => {
  it("is never overdrawn by requests at once, and is whole again when they have ended", async () => {
    const key = world.keys.tight.key; // covers the most that a few of these can cost
    const answers = await Promise.all(
      Array.from({ length: 16 }, async (_, seed) => {
        world.script(...(seed % 4 === 1 ? [{ diesAfter: 3 }] : []));
        const abort = new AbortController();
        const answer = send(chat({ seed, stream: seed % 2 === 0 }), { key, signal: abort.signal });
        if (seed % 5 === 0) setImmediate(() => abort.abort());
        return answer.then(
          async (response) => ({ status: response.status, text: await response.text() }),
          () => ({ status: 0, text: "" }),
        );
      }),
    );
    await nothingSetAside("tight");
    const paid = answers.map(({ text }) => BigInt(/"price":"(\d+)"/.exec(text)?.[1] ?? 0n));
    const spent = parseAmount((await keyOf("tight")).spent);
    // who hung up pays for what was delivered by then
    expect(spent).toBeGreaterThanOrEqual(paid.reduce((sum, price) => sum + price, 0n));
    expect(spent).toBeLessThanOrEqual(parseAmount((await keyOf("tight")).budget));
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(answers.some(({ status }) => status === 402)).toBe(true);
  });
});

describe("a hostile provider", () => {
  it("cannot keep connections by going on behind its answers", async () => {
    for (let i = 0; i < 3; i++) {
      world.script({ lingers: true });
      expect((await send(chat({ seed: i }))).status).toBe(200);
    }
    const open = () => world.providers.reduce((sum, provider) => sum + provider.unfinished(), 0);
    await expect.poll(open, { timeout: 5_000 }).toBe(0);
  });

  it("is paid for a whole answer that it signed before the cut, and for no more than it showed", async () => {
    world.script({ signsFirst: true });
    const { text, chunks } = await streamed({ stop: "jumps" });
    expect(text).toBe("the quick brown fox ");
    const { x_foldmark } = chunks.at(-1);
    const receipt = await receiptOf(x_foldmark.receipt_id);
    const whole = world.tokenizer.encode(TEXT).length + 1;
    if (receipt.cut) expect(receipt.usage.answerTokens).toBe(receipt.cut.tokens);
    else expect(receipt.usage.answerTokens).toBe(whole);
    expect(checkRouting(receipt).status).toBe("ok");
  });

  it("cannot take one maximum with each request by never saying how they ended", async () => {
    world.script(...Array.from({ length: 5 }, () => ({ stallsAfter: 0, neverTells: true })));
    const answers = await Promise.all(Array.from({ length: 5 }, () => skippedBy(chat())));
    const silent = answers[0]?.[0]?.provider;
    expect(answers).toEqual(answers.map(() => [{ provider: silent, reason: "stalled", tokens: 0 }]));
    const told = () => world.providers.reduce((sum, provider) => sum + provider.told(), 0);
    await expect.poll(told, { timeout: 10_000 }).toBeGreaterThanOrEqual(5);
    world.reset(); // hours later it is healthy again
    expect(await skippedBy(chat())).toEqual([{ provider: silent, reason: "no_funds", tokens: 0 }]);
    expect(world.byAddress(silent ?? "").asked).toEqual([]);
  });
});

async function skippedBy(body: object) {
  const answer = (await (await send(body)).json()) as {
    x_foldmark: { skipped: { provider: string; reason: string; tokens: number }[] };
  };
  return answer.x_foldmark.skipped;
}

describe("a caller that leaves", () => {
  it.each([
    { when: "before the provider has accepted", script: { stallsAfter: -1 }, until: 0 },
    { when: "before the first token", script: { stallsAfter: 0 }, until: 0 },
    { when: "at the first token", script: { stallsAfter: 1 }, until: 1 },
    { when: "between the last token and the answer", script: { signsNothing: true, lingers: true }, until: 9 },
  ])("$when pays for what was delivered, and nothing stays set aside", async ({ script, until }) => {
    const before = parseAmount((await keyOf("rich")).spent);
    world.script(script);
    const abort = new AbortController();
    const read = async () => {
      const response = await send(chat({ stream: true }), { signal: abort.signal });
      for await (const chunk of response.body ?? []) seen += Buffer.from(chunk as Uint8Array).toString("utf8");
    };
    let seen = "";
    const reading = read().catch(() => {});
    const pieces = () => seen.split('"delta":{"content"').length - 1;
    await expect.poll(() => world.asked().length > 0 || script.stallsAfter === -1).toBe(true);
    await expect.poll(pieces, { timeout: 5_000 }).toBeGreaterThanOrEqual(until);
    abort.abort();
    await reading;
    await nothingSetAside("rich");
    const spent = parseAmount((await keyOf("rich")).spent) - before;
    if (until === 0) expect(spent).toBe(0n);
    else expect(spent).toBe((await receiptOf(/chatcmpl-[0-9a-f]{32}/.exec(seen)?.[0] ?? "")).price);
  });
});

describe("text", () => {
  it.each([
    { what: "line ends and event names", text: "a\n\ndata: [DONE]\n\nevent: x\r\n\u2028\u2029b" },
    { what: "characters of several tokens", text: "日本語 👩‍👩‍👧‍👦 é̂ 🏳️‍🌈 naïve" },
    { what: "quotes and controls", text: '"}]}\\ \u0000\u0007<script>' },
  ])("with $what comes through a stream as it is", async ({ text }) => {
    world.setAnswer(text);
    expect((await streamed()).text).toBe(text);
    const whole = (await (await send(chat())).json()) as { choices: { message: { content: string } }[] };
    expect(whole.choices[0]?.message.content).toBe(text);
  });

  it("may be empty: the first token is the stop token", async () => {
    world.setAnswer("");
    const whole = (await (await send(chat())).json()) as Record<string, unknown>;
    expect(whole).toMatchObject({
      choices: [{ message: { content: "" }, finish_reason: "stop" }],
      usage: { completion_tokens: 1 },
    });
    const { chunks, raw } = await streamed();
    expect(chunks.map(({ choices }) => choices[0].delta)).toEqual([
      { role: "assistant", content: "", refusal: null },
      {},
    ]);
    expect(raw.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it.each([
    { what: "that is never completed", stop: "dog and cat", shown: TEXT },
    { what: "longer than the answer", stop: `${TEXT} and on and on`, shown: TEXT },
    { what: "across tokens of one event", stop: "fox jumps", shown: "the quick brown ", burst: 20 },
    {
      what: "of several, the one that begins first",
      stop: ["jumps over", "fox jumps over", "x j"],
      shown: "the quick brown fo",
    },
    { what: "in the first token", stop: "t", shown: "" },
  ])("is held back for a stop string $what", async ({ stop, shown, burst = 1 }) => {
    world.script({ burst });
    const { text, chunks } = await streamed({ stop });
    expect(text).toBe(shown);
    expect(chunks.at(-1).choices[0].finish_reason).toBe("stop");
  });

  it("ends after one token where one is asked for", async () => {
    const answer = (await (await send(chat({ max_tokens: 1 }))).json()) as Record<string, unknown>;
    expect(answer).toMatchObject({ choices: [{ finish_reason: "length" }], usage: { completion_tokens: 1 } });
  });
});

describe("a hostile caller", () => {
  it.each([
    { what: "a name of half a megabyte", body: `{"model":"m","${"a".repeat(500_000)}":1}`, status: 400 },
    {
      what: "a prototype",
      body: `{"model":"tiny-chat","messages":[{"role":"user","content":"x"}],"__proto__":{"n":2}}`,
      status: 400,
    },
    { what: "arrays without end", body: `{"messages":${"[".repeat(200_000)}${"]".repeat(200_000)}}`, status: 400 },
    { what: "half a character to stop at", body: JSON.stringify(chat({ stop: "\ud83d" })), status: 400 },
    { what: "bytes that are no UTF-8", body: "\u0000\u0001", status: 400 },
  ])("gets a short error for $what", async ({ body, status }) => {
    const response = await send(body);
    const text = await response.text();
    expect(response.status).toBe(status);
    expect(text.length).toBeLessThan(1_000);
    expect(world.asked()).toEqual([]);
  });

  it("is answered where half a character stands in its words", async () => {
    expect((await send(chat({ messages: [{ role: "user", content: "a\ud83d" }] }))).status).toBe(200);
  });

  it.each(["../../etc/passwd", "%2e%2e%2fkeys", "' or 1=1 --", "%00", "0x".padEnd(400, "1"), "chatcmpl-"])(
    "finds no receipt under %s",
    async (id) => {
      const response = await fetch(
        `${world.gateway.url}/v1/receipts/${id.includes("%") ? id : encodeURIComponent(id)}`,
        {
          headers: { authorization: `Bearer ${world.keys.rich.key}` },
        },
      );
      expect([response.status, ((await response.json()) as { error: { code: string } }).error.code]).toEqual([
        404,
        "receipt.unknown",
      ]);
    },
  );

  it("holds up nobody else with long prompts", async () => {
    const order: string[] = [];
    const long = chat({ messages: [{ role: "user", content: "the house ".repeat(30_000) }] });
    const ask = (who: string, body: object, key: string) =>
      send(body, { key }).then((response) => order.push(`${who} ${response.status}`));
    const flood = Array.from({ length: 6 }, () => ask("flood", long, world.keys.rich.key));
    await Promise.race(flood); // they are being rendered
    await Promise.all([...flood, ask("other", chat({ max_tokens: 1 }), world.keys.other.key)]);
    expect(order.filter((entry) => entry === "flood 400")).toHaveLength(6);
    expect(order.indexOf("other 200")).toBeLessThan(5);
  });

  it("gives no header of ours a meaning that is not its own", async () => {
    const response = await send(chat(), {
      headers: {
        "x-request-id": "mine",
        "x-foldmark-provider": "0x1",
        "x-foldmark-price": "0",
        "x-forwarded-for": "1.1.1.1",
      },
    });
    expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    expect(response.headers.get("x-foldmark-price")).not.toBe("0");
  });
});
