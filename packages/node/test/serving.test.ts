import {
  type BaseUnits,
  baseUnits,
  bookCharge,
  cutResponseCodec,
  decodePaymentRequiredHeader,
  FoldmarkError,
  nodeInfoCodec,
  openPayerLedger,
  PAYMENT_REQUIRED_HEADER,
  paymentEventCodec,
  putInFlight,
  recoverAnswerSigner,
  refusalCodec,
  statementIdOf,
  storedAnswerCodec,
} from "@foldmark/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { MODEL, SIMULATION } from "./scriptedEngine.ts";
import { type Ask, anOrder, channelOf, DOMAIN, eventsOf, NODE, NOW, PAYER, PRICES, serveNode } from "./servedNode.ts";

let node: Awaited<ReturnType<typeof serveNode>>;
beforeEach(async () => {
  node = await serveNode();
});
afterEach(() => node[Symbol.asyncDispose]());

async function ask(options: Ask = {}) {
  const order = await anOrder(options);
  const abort = new AbortController();
  const response = await fetch(`${node.url}/v1/answers`, { method: "POST", signal: abort.signal, ...order });
  return { ...order, abort, response };
}

async function refused(options: Ask = {}) {
  const { response } = await ask(options);
  return {
    status: response.status,
    headers: response.headers,
    body: z.decode(refusalCodec, (await response.json()) as never),
  };
}

/** The run at the engine; a request is there as soon as its headers are. */
const run = (index = 0) => {
  const found = node.engine.runs[index];
  if (!found) throw new Error(`no run ${index}`);
  return found;
};
const complete = (T: number, index = 0) =>
  run(index).complete({ T, request: [new Uint8Array([1])], claimed: [new Uint8Array([2])] });

describe("POST /v1/answers", () => {
  it("streams tokens and then a payment that anybody can check", async () => {
    const { response, channelId } = await ask();
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    run().listener.tokens([7]);
    run().listener.tokens([8, 9]);
    complete(3 + 3);
    const events = [];
    for await (const event of eventsOf(response)) if (event.event !== "comment") events.push(event);
    expect(events.slice(0, 2)).toEqual([
      { event: "tokens", data: { tokens: [7] } },
      { event: "tokens", data: { tokens: [8, 9] } },
    ]);
    const payment = z.decode(paymentEventCodec, events[2]?.data as never);
    expect(payment.answer).toMatchObject({
      ...{ payee: NODE.address, channelId, maxClaimableAmount: 11n, until: NOW + 600n + 120n },
      charged: 3n * 1n + 3n * 2n,
      statementId: statementIdOf(payment.preimage),
    });
    expect(payment.preimage).toMatchObject({ T: 6, header: MODEL.header, programRoot: MODEL.programRoot });
    expect(payment.claimed).toBeUndefined();
    expect(await recoverAnswerSigner(DOMAIN, payment)).toBe(NODE.address);
    expect(node.ledger.claims()).toMatchObject([{ amount: 9n }]);
  });

  it("sends the headers before anything is computed, and comments while nothing comes", async () => {
    const { response } = await ask();
    const events = eventsOf(response);
    expect((await events.next()).value).toEqual({ event: "comment", data: "waiting" });
    run().listener.tokens([7]);
    let next = await events.next();
    while (next.value?.event === "comment") next = await events.next();
    expect(next.value).toEqual({ event: "tokens", data: { tokens: [7] } });
    complete(4);
  });

  it("says how much of a hint is its own", async () => {
    const { response } = await ask({ hint: [5, 6] });
    expect(run().job.hint).toEqual([5, 6]);
    run().listener.hint(1);
    run().listener.tokens([4]);
    complete(5);
    const events = [];
    for await (const event of eventsOf(response)) if (event.event !== "comment") events.push(event);
    expect(events[0]).toEqual({ event: "hint", data: { agreed: 1 } });
  });

  it("hands over the claimed tensors of a simulation and charges its steps", async () => {
    const { response } = await ask({ model: SIMULATION, request: [5], ceiling: 15n });
    complete(5);
    const events = [];
    for await (const event of eventsOf(response)) events.push(event);
    const payment = z.decode(paymentEventCodec, events.at(-1)?.data as never);
    expect(payment).toMatchObject({ answer: { charged: 15n }, claimed: [new Uint8Array([2])] });
  });

  it("ends with an error, uncharged, when the engine fails", async () => {
    const { response, channelId, path, headers } = await ask();
    run().listener.tokens([7]);
    run().fail(new Error("the prompt was: secret"));
    const events = [];
    for await (const event of eventsOf(response)) events.push(event);
    expect(events.at(-1)).toMatchObject({ event: "error", data: { error: { code: "engine.failed" } } });
    expect(JSON.stringify(events)).not.toContain("secret");
    expect(node.ledger.channel(channelId)?.ledger).toMatchObject({ charged: 0n, reserved: [], highestCeiling: 11n });
    expect(await (await fetch(node.url + path, { headers })).json()).toEqual({ status: "none", charged: "0" });
  });

  it("answers one at a time, queues some, and then says when to come back", async () => {
    await using small = await serveNode({ queue: 1 });
    const post = async (ceiling: bigint) =>
      fetch(`${small.url}/v1/answers`, { method: "POST", ...(await anOrder({ ceiling })) });
    const first = await post(11n);
    const second = await post(22n);
    const third = await post(33n);
    expect([first.status, second.status, third.status]).toEqual([200, 200, 429]);
    expect(third.headers.get("retry-after")).toBe("1");
    expect(await third.json()).toMatchObject({ error: { code: "node.busy" } });
    expect(await (await fetch(`${small.url}/v1/node`)).json()).toMatchObject({ running: 1, queued: 1, queueLimit: 1 });
    await first.body?.cancel();
    await second.body?.cancel();
  });

  it.each([
    {
      behaviour: "an unknown model",
      order: { model: { ...MODEL, asset: `0x${"9".repeat(64)}` as typeof MODEL.asset } },
      status: 404,
      code: "model.unknown",
    },
    {
      behaviour: "other prices, and tells its own",
      order: { prices: { ...PRICES, out: baseUnits(1n) } },
      status: 409,
      code: "price.changed",
    },
    { behaviour: "a request with no true statement", order: { request: [0, 4] }, status: 400, code: "request.invalid" },
    {
      behaviour: "a hint for a simulation",
      order: { model: SIMULATION, request: [5], hint: [1] },
      status: 400,
      code: "request.invalid",
    },
    { behaviour: "terms of another payee", order: { payTo: PAYER.address }, status: 402, code: "voucher.invalid" },
    {
      behaviour: "a channel that pays somebody else",
      order: { channel: { payee: PAYER.address } },
      status: 402,
      code: "voucher.invalid",
    },
    {
      behaviour: "a channel for another model",
      order: { channel: { model: 5n } },
      status: 402,
      code: "voucher.invalid",
    },
    {
      behaviour: "a voucher that its channel's signer did not sign",
      order: { signer: PAYER },
      status: 402,
      code: "voucher.wrong_signer",
    },
    {
      behaviour: "a ceiling below the request's maximum",
      order: { ceiling: 10n },
      status: 402,
      code: "voucher.too_low",
    },
    { behaviour: "a ceiling above the deposit", order: { ceiling: 1_001n }, status: 402, code: "channel.exhausted" },
  ])("refuses $behaviour and uses no ceiling", async ({ order, status, code }) => {
    const answer = await refused(order as Ask);
    expect({ status: answer.status, code: answer.body.error.code }).toEqual({ status, code });
    if (code === "price.changed") expect(answer.body.prices).toEqual(PRICES);
    if (status === 402)
      expect(decodePaymentRequiredHeader(answer.headers.get(PAYMENT_REQUIRED_HEADER) ?? "")).toMatchObject({
        error: code,
        accepts: [{ payTo: NODE.address, amount: 11n }],
      });
    expect(node.engine.runs).toEqual([]);
    expect((await ask()).response.status).toBe(200);
  });

  it("tells a payer without records what it has signed", async () => {
    const first = await ask({ ceiling: 20n });
    complete(4);
    await first.response.text();
    const { status, body } = await refused({ ceiling: 20n });
    expect({ status, code: body.error.code }).toEqual({ status: 402, code: "voucher.stale" });
    const payment = JSON.parse(Buffer.from(first.headers["PAYMENT-SIGNATURE"] ?? "", "base64").toString());
    expect(body.channel).toEqual({
      ...{ channelId: first.channelId, deposit: 1_000n, pendingExit: 0n, redeemed: 0n, charged: 5n, reserved: 0n },
      highest: { maxClaimableAmount: 20n, signature: payment.payload.signature },
    });
  });

  it("counts what is in flight on the channel, and a pending exit", async () => {
    await ask({ ceiling: 11n });
    expect(await refused({ ceiling: 21n })).toMatchObject({
      status: 402,
      body: { error: { code: "voucher.too_low", details: { needed: "22" } } },
    });
    node.chain.funds = { ...node.chain.funds, pendingExit: baseUnits(990n) };
    expect(await refused({ ceiling: 22n })).toMatchObject({
      status: 402,
      body: { error: { code: "channel.exhausted" } },
    });
  });

  it("takes each of two requests that come at once with one voucher at most once", async () => {
    const statuses = await Promise.all([1, 2, 3].map(async () => (await ask()).response.status));
    expect(statuses.toSorted()).toEqual([200, 402, 402]);
  });

  it("serves nothing while its stake is too low", async () => {
    node.chain.isStaked = false;
    expect(await refused()).toMatchObject({ status: 503, body: { error: { code: "stake.too_low" } } });
  });

  it.each([
    {
      behaviour: "no payment header",
      change: { headers: { "content-type": "application/json" } },
      status: 402,
      code: "voucher.missing",
    },
    {
      behaviour: "a payment header that is no base64",
      change: { headers: { "content-type": "application/json", "PAYMENT-SIGNATURE": "%%" } },
      status: 402,
      code: "voucher.invalid",
    },
    { behaviour: "invalid JSON", change: { body: "{" }, status: 400, code: "request.invalid" },
    { behaviour: "an unknown field", change: { body: '{"modle":1}' }, status: 400, code: "request.invalid" },
    {
      behaviour: "another content type",
      change: { headers: { "content-type": "text/plain" } },
      status: 400,
      code: "request.invalid",
    },
    {
      behaviour: "a body over the limit",
      change: { body: JSON.stringify({ request: ["A".repeat(200_000)] }) },
      status: 413,
      code: "request.too_large",
    },
  ])("refuses $behaviour", async ({ change, status, code }) => {
    const order = { ...(await anOrder()), ...change };
    const response = await fetch(`${node.url}/v1/answers`, { method: "POST", ...order } as RequestInit);
    const { error } = z.decode(refusalCodec, (await response.json()) as never);
    expect({ status: response.status, code: error.code }).toEqual({ status, code });
  });
});

describe("a refusal", () => {
  it("of a body that is nothing but mistakes is short", async () => {
    const { headers, body } = await anOrder();
    const wrong = JSON.stringify({ ...JSON.parse(body), hint: Array(20_000).fill(-1) });
    const response = await fetch(`${node.url}/v1/answers`, { method: "POST", headers, body: wrong });
    expect(response.status).toBe(400);
    expect((await response.text()).length).toBeLessThan(2_000);
  });

  it("does not tell strangers where the ledger lies", async () => {
    node.ledger.accept = () => {
      throw new FoldmarkError("store.disk_full", `The disk of the ledger in ${node.folder} is full.`, {
        details: { folder: node.folder },
      });
    };
    const { response } = await ask();
    const text = await response.text();
    expect({ status: response.status, code: JSON.parse(text).error.code }).toEqual({
      ...{ status: 503, code: "store.disk_full" },
    });
    expect(text).not.toContain(node.folder);
  });
});

describe("several answers of one channel in flight at once", () => {
  const eventsOfKind = async (response: Response, kind: string) => {
    const found = [];
    for await (const { event, data } of eventsOf(response)) if (event === kind) found.push(data);
    return found;
  };
  const paymentOf = async (response: Response) =>
    z.decode(paymentEventCodec, (await eventsOfKind(response, "payment"))[0] as never);

  async function askParallel(many: Awaited<ReturnType<typeof serveNode>>, ceilings: bigint[]) {
    const asked = [];
    for (const ceiling of ceilings) {
      const order = await anOrder({ ceiling });
      asked.push({ ...order, response: await fetch(`${many.url}/v1/answers`, { method: "POST", ...order }) });
    }
    return asked;
  }
  const answer = (T: number) => ({ T, request: [new Uint8Array([1])], claimed: [new Uint8Array([2])] });

  it("go to the engine together, each for its payer, and what they could cost is reserved for each", async () => {
    await using many = await serveNode({ capacity: 2 });
    const asked = await askParallel(many, [11n, 22n, 33n]);
    expect(asked.map(({ response }) => response.status)).toEqual([200, 200, 200]);
    expect(many.engine.runs.map(({ job }) => job.payer)).toEqual([PAYER.address, PAYER.address]);
    expect(await (await fetch(`${many.url}/v1/node`)).json()).toMatchObject({ running: 2, queued: 1 });
    const [low] = await askParallel(many, [43n]);
    expect({ status: low?.response.status, body: await low?.response.json() }).toMatchObject({
      ...{ status: 402, body: { error: { code: "voucher.too_low", details: { needed: "44" } } } },
    });
    many.engine.runs[1]?.complete(answer(4));
    await expect.poll(() => many.engine.runs.length).toBe(3);
    for (const { response } of asked) await response.body?.cancel();
  });

  it("end in any order, and no total is above its ceiling or above what a payer can expect", async () => {
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    for (const order of orders) {
      await using many = await serveNode({ capacity: 3 });
      let payer = openPayerLedger();
      const ceilings = [0, 1, 2].map(() => {
        const { ceiling, ledger } = putInFlight(payer, baseUnits(11n));
        payer = ledger;
        return ceiling;
      });
      const asked = await askParallel(many, ceilings);
      // 4, 3 and 2 answer tokens: 11, 9 and 7
      for (const at of order) {
        many.engine.runs[at]?.complete(answer(3 + 4 - at));
        const { answer: signed } = await paymentOf(asked[at]?.response as Response);
        const price = baseUnits(BigInt(11 - 2 * at));
        const verdict = bookCharge(payer, { ceiling: ceilings[at] as BaseUnits, charged: signed.charged, price });
        expect(verdict, `order ${order}, answer ${at}`).toMatchObject({ status: "accepted" });
        if (verdict.status === "accepted") payer = verdict.ledger;
      }
      const total = 11n + 9n + 7n;
      const [claim] = many.ledger.claims();
      const { charged, reserved } = many.ledger.channel(asked[0]?.channelId as never)?.ledger ?? {};
      expect({ charged, reserved, sum: payer.sum }).toEqual({ charged: total, reserved: [], sum: total });
      expect((claim?.amount ?? 0n) <= (claim?.ceiling ?? 0n)).toBe(true);
      // what was clipped is owed with the next voucher
      const { ceiling } = putInFlight(payer, baseUnits(11n));
      const [next] = await askParallel(many, [ceiling]);
      many.engine.runs[3]?.complete(answer(3 + 1));
      expect((await paymentOf(next?.response as Response)).answer.charged).toBe(total + 5n);
    }
  });

  it("lose nothing to a crash in between: what was signed stays, the others are closed, each ceiling for good", async () => {
    const crashing = await serveNode({ capacity: 3 });
    const asked = await askParallel(crashing, [11n, 22n, 33n]);
    crashing.engine.runs[1]?.complete(answer(4));
    await asked[1]?.response.text();
    await crashing[Symbol.asyncDispose]();
    await using again = await serveNode({ capacity: 3, folder: crashing.folder });
    const states = [];
    for (const { path, headers } of asked) states.push(await (await fetch(again.url + path, { headers })).json());
    expect(states).toMatchObject([
      { status: "none", charged: "5" },
      { status: "done", answer: { charged: "5" } },
      { status: "none", charged: "5" },
    ]);
    const [stale, next] = await askParallel(again, [33n, 44n]);
    expect([stale?.response.status, next?.response.status]).toEqual([402, 200]);
    await next?.response.body?.cancel();
  });

  it("fail together with the engine's thread, and none of them is charged", async () => {
    await using many = await serveNode({ capacity: 3 });
    const asked = await askParallel(many, [11n, 22n, 33n]);
    for (const { listener } of many.engine.runs) listener.tokens([7]);
    for (const { fail } of many.engine.runs) fail(new Error("the thread died"));
    for (const { response } of asked) expect(await eventsOfKind(response, "error")).toHaveLength(1);
    expect(many.ledger.channel(asked[0]?.channelId as never)?.ledger).toMatchObject({ charged: 0n, reserved: [] });
  });
});

describe("POST /v1/answers/…/cut", () => {
  it("ends stream and cut with the same payment for exactly that many tokens", async () => {
    const { response, path, headers } = await ask();
    run().listener.tokens([7, 8]);
    const cut = fetch(`${node.url + path}/cut`, { method: "POST", headers, body: '{"tokens":1}' });
    await expect.poll(() => run().cuts).toEqual([1]);
    complete(3 + 1);
    const events = [];
    for await (const event of eventsOf(response)) events.push(event);
    const answered = await (await cut).json();
    expect(events.at(-1)).toEqual({ event: "payment", data: answered });
    expect(z.decode(cutResponseCodec, answered as never)).toMatchObject({
      answer: { charged: 3n + 2n },
      preimage: { T: 4 },
    });
  });

  it("signs and charges nothing before the first token", async () => {
    const { response, path, headers } = await ask();
    const cut = await fetch(`${node.url + path}/cut`, { method: "POST", headers, body: '{"tokens":0}' });
    expect(await cut.json()).toEqual({ status: "none", charged: "0" });
    expect(run().aborted).toBe(true);
    expect((await response.text()).replaceAll(": waiting\n\n", "")).toBe("");
  });

  it("refuses more tokens than were sent, and a voucher that is not the path's", async () => {
    const { path, headers } = await ask();
    const post = (to: string, tokens: number) =>
      fetch(`${node.url + to}/cut`, { method: "POST", headers, body: JSON.stringify({ tokens }) });
    expect(await (await post(path, 1)).json()).toMatchObject({ error: { code: "cut.out_of_range" } });
    const other = await post(path.replace(/11$/, "12"), 0);
    expect({ status: other.status, body: await other.json() }).toMatchObject({
      status: 402,
      body: { error: { code: "voucher.invalid" } },
    });
  });

  it("cuts at what was sent when the connection is lost", async () => {
    const { abort, response } = await ask();
    run().listener.tokens([7, 8]);
    const events = eventsOf(response);
    let next = await events.next();
    while (next.value?.event === "comment") next = await events.next();
    abort.abort();
    await expect.poll(() => run().cuts).toEqual([2]);
  });
});

describe("GET /v1/answers/…", () => {
  it("follows an answer to its end", async () => {
    const { response, path, headers } = await ask();
    const state = async () =>
      z.decode(storedAnswerCodec, (await (await fetch(node.url + path, { headers })).json()) as never);
    expect(await state()).toEqual({ status: "running", tokens: 0 });
    run().listener.tokens([7]);
    expect(await state()).toEqual({ status: "running", tokens: 1 });
    complete(4);
    const text = await response.text();
    const done = await state();
    if (done.status !== "done") throw new Error(done.status);
    const { status: _status, ...payment } = done;
    expect(text).toContain(JSON.stringify(z.encode(paymentEventCodec, payment)));
  });

  it("still has it after a restart, and closes what was in flight", async () => {
    const done = await ask({ ceiling: 11n });
    complete(4);
    await done.response.text();
    const open = await ask({ ceiling: 30n });
    expect(open.response.status).toBe(200);
    const { folder } = node;
    await node[Symbol.asyncDispose]();
    node = await serveNode({ folder });
    const state = async ({ path, headers }: typeof done) => (await fetch(node.url + path, { headers })).json();
    expect(await state(done)).toMatchObject({ status: "done", answer: { charged: "5" } });
    expect(await state(open)).toEqual({ status: "none", charged: "5" });
    expect((await ask({ ceiling: 41n })).response.status).toBe(200);
  });

  it("knows nothing of a voucher that it never took", async () => {
    const { path, headers } = await anOrder({ ceiling: 99n });
    const response = await fetch(node.url + path, { headers });
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      ...{ status: 404, body: { error: { code: "answer.unknown" } } },
    });
  });
});

describe("the rest of a node", () => {
  it("says who it is and what it serves", async () => {
    const info = z.decode(nodeInfoCodec, (await (await fetch(`${node.url}/v1/node`)).json()) as never);
    expect(info).toMatchObject({
      ...{ payee: NODE.address, chainId: 31337, instance: node.ledger.instance, draining: false },
      models: [{ asset: MODEL.asset, prices: PRICES, context: 64 }, { asset: SIMULATION.asset }],
    });
  });

  it("is healthy, or says why not", async () => {
    const health = async () => {
      const response = await fetch(`${node.url}/health`);
      return { status: response.status, body: await response.json() };
    };
    expect(await health()).toEqual({ status: 200, body: { status: "ok" } });
    node.chain.health = "draining";
    expect(await health()).toEqual({ status: 503, body: { status: "draining" } });
  });

  it("counts what it did, and logs neither tokens nor vouchers", async () => {
    const { response, headers } = await ask();
    run().listener.tokens([4_711, 4_712]);
    complete(5);
    await response.text();
    const metrics = await (await fetch(`${node.url}/metrics`)).text();
    expect(metrics).toContain('foldmark_node_tokens_total{model="scripted",direction="out"} 2');
    expect(metrics).toContain('foldmark_node_requests_total{model="scripted",outcome="done"} 1');
    const logs = node.lines.join("");
    expect(JSON.parse(node.lines[0] ?? "{}")).toMatchObject({
      msg: "served",
      model: "scripted",
      answerTokens: 2,
      charge: "7",
    });
    expect(logs).not.toContain("4711");
    expect(logs).not.toContain(headers["PAYMENT-SIGNATURE"]);
  });

  it("has nothing else", async () => {
    const response = await fetch(`${node.url}/v1/nodes`);
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status: 404,
      body: { error: { code: "request.not_found" } },
    });
    expect(channelOf(MODEL).payee).toBe(NODE.address);
  });
});
