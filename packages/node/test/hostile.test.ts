import { setImmediate } from "node:timers/promises";
import { baseUnits } from "@foldmark/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anOrder, serveNode } from "./servedNode.ts";

const PROMPT = 3;
const LIMIT = 4;
const command = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      channel: fc.nat(1),
      above: fc.integer({ min: -5, max: 30 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("token" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("complete" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const), at: fc.nat(5), tokens: fc.nat(LIMIT) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("leave" as const, "get" as const, "steal" as const), at: fc.nat(5) }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

type Order = Awaited<ReturnType<typeof anOrder>> & { ceiling: bigint; abort: AbortController; text: Promise<string> };

/** A payer, and strangers, that do everything in any order. What was signed for a ceiling is collected wherever it is seen. */
async function play(commands: Command[]) {
  await using node = await serveNode({ queue: 2 });
  node.chain.funds = { ...node.chain.funds, deposit: baseUnits(100_000n) };
  const orders: Order[] = [];
  const signed = new Map<string, Set<string>>();
  const highest = [0n, 0n];
  let tokens = 0;
  /** The engine's current request. */
  const current = () => node.engine.runs.at(-1);
  const finish = (n: number) =>
    current()?.complete({ T: PROMPT + n, request: [new Uint8Array([1])], claimed: [new Uint8Array([2])] });
  function saw(
    path: string,
    { answer, signature, preimage }: { answer?: unknown; signature?: string; preimage?: unknown },
  ) {
    if (!answer) return;
    signed.set(path, (signed.get(path) ?? new Set()).add(JSON.stringify({ answer, signature, preimage })));
  }
  /** Waits for an answer while the engine obeys. */
  async function whileEngineObeys<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      const cut = current()?.cuts[0];
      if (cut !== undefined) finish(cut);
      await setImmediate();
    }
    return done;
  }
  const find = (at: number) => orders[at % Math.max(orders.length, 1)];

  for (const step of commands) {
    if (step.do === "ask") {
      const ceiling = (highest[step.channel] ?? 0n) + BigInt(step.above) + 11n;
      if (ceiling <= 0n) continue;
      const salt = `0x${`0${step.channel}`.repeat(32)}` as const;
      const order = await anOrder({ ceiling, channel: { salt } });
      const abort = new AbortController();
      const before = node.engine.runs.length;
      const response = await fetch(`${node.url}/v1/answers`, { method: "POST", signal: abort.signal, ...order });
      if (response.status !== 200) {
        expect([402, 429]).toContain(response.status);
        await response.text();
        continue;
      }
      // a ceiling that was taken is above every one before it, and on disk
      expect(ceiling).toBeGreaterThan(highest[step.channel] ?? 0n);
      expect(node.ledger.lookup(order.channelId, baseUnits(ceiling))).toBeDefined();
      highest[step.channel] = ceiling;
      if (node.engine.runs.length > before) tokens = 0;
      orders.push({ ...order, ceiling, abort, text: response.text().catch(() => "") });
    } else if (step.do === "token") {
      if (tokens++ < LIMIT) current()?.listener.tokens([tokens]);
    } else if (step.do === "complete") {
      if (tokens > 0) finish(Math.min(tokens, LIMIT));
    } else if (step.do === "fail") current()?.fail(new Error("broken"));
    else {
      const order = find(step.at);
      if (!order) continue;
      const { path, headers } = order;
      if (step.do === "leave") order.abort.abort();
      else if (step.do === "get") saw(path, (await (await fetch(node.url + path, { headers })).json()) as never);
      else if (step.do === "steal") {
        const other = await anOrder({ ceiling: order.ceiling + 1n });
        const response = await fetch(node.url + path, { headers: other.headers });
        expect(response.status).toBe(402);
      } else if (step.do === "cut") {
        const body = JSON.stringify({ tokens: step.tokens });
        const response = await whileEngineObeys(fetch(`${node.url}${path}/cut`, { method: "POST", headers, body }));
        expect([200, 400]).toContain(response.status);
        saw(path, (await response.json()) as never);
      }
    }
    const started = node.engine.runs.length;
    await setImmediate();
    if (node.engine.runs.length > started) tokens = 0;
  }

  for (const { abort } of orders) abort.abort();
  await whileEngineObeys(node.runs.endAll());
  await whileEngineObeys(node.scheduler.idle());
  for (const { path, headers, channelId, ceiling } of orders) {
    const last = (await (await fetch(node.url + path, { headers })).json()) as { status: string };
    expect(["done", "none"]).toContain(last.status);
    saw(path, last as never);
    const kept = node.ledger.lookup(channelId, baseUnits(ceiling));
    expect(kept?.status).toBe(last.status);
    if (kept?.status === "done") expect(kept.charged).toBeLessThanOrEqual(ceiling);
  }
  for (const { path, text } of orders) {
    const payment = /^event: payment\ndata: (.*)$/m.exec(await text)?.[1];
    if (payment) saw(path, JSON.parse(payment));
  }
  return { signed, orders };
}

describe("a node among hostile payers", () => {
  it("signs at most one Answer for a ceiling, whatever happens and in whatever order", async () => {
    let answers = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 25 }), async (commands) => {
        const { signed } = await play(commands);
        for (const versions of signed.values()) expect(versions.size).toBe(1);
        answers += signed.size;
      }),
      { numRuns: 30 },
    );
    expect(answers).toBeGreaterThan(0);
  });
});
