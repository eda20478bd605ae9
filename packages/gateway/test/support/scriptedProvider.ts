import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tensorsRoot } from "@foldmark/machine/commitments";
import {
  type Answer,
  answerRequestCodec,
  type BaseUnits,
  baseUnits,
  type ChannelId,
  channelStateCodec,
  chargeAnswer,
  closeReserved,
  type Domain,
  decodePaymentHeader,
  openPayeeLedger,
  type Payment,
  type Prices,
  paymentEventCodec,
  priceOfAnswer,
  priceOfWork,
  recoverVoucherSigner,
  signAnswer,
  statementIdOf,
  takeVoucher,
  toHash,
} from "@foldmark/protocol";
import { type ModelPackage, tokenBytes, tokensOf, withLimit } from "@foldmark/workloads";
import type { LocalAccount } from "viem";
import { bytesToHex, type Hex } from "viem";
import { z } from "zod";

/** What a provider does wrong. Everything else it does by the protocol. */
export type Behaviour = {
  /** Refuses every request with this. */
  refuse?: { status: number; code: string; prices?: Prices };
  /** Closes the connection after so many tokens. */
  diesAfter?: number;
  /** Falls silent after so many tokens (or before the headers with -1), and stays connected. */
  stallsAfter?: number;
  /** Comments for ever instead of tokens. */
  babbles?: boolean;
  /** Goes on behind the end of its answer. */
  endless?: boolean;
  /** Sends these bytes instead of its first event. */
  garbage?: string;
  /** Gives other tokens than these positions should have. */
  lies?: Record<number, number>;
  /** Signs for other tokens than it gave. */
  signsOther?: boolean;
  overcharges?: bigint;
  /** Signs with a key that nobody has allowed. */
  strangersKey?: LocalAccount;
  /** Seconds that `until` is too early. */
  untilTooEarly?: bigint;
  /** Goes on with comments behind its answer, and keeps the connection. */
  lingers?: boolean;
  /** Never says how a request ended. */
  neverTells?: boolean;
  /** Has computed and signed its whole answer before it sends the first token. */
  signsFirst?: boolean;
  /** Tokens in each of its events. */
  burst?: number;
  /** Ends its stream without an answer. */
  signsNothing?: boolean;
  /** An error in the middle of its stream, after so many tokens. */
  errorAfter?: number;
  /** Waits for the test before each token. */
  gate?: () => Promise<void>;
  /** Knows a higher ceiling than the payer's records, and what it has charged. */
  knows?: (channelId: ChannelId) => Promise<{ maxClaimableAmount: BaseUnits; signature: Hex; charged: BaseUnits }>;
};

type Run = {
  behaviour: Behaviour;
  payment: Payment;
  sent: number[];
  limit: number;
  prompt: number[];
  request: Uint8Array[];
  cut?: number;
  done?: string;
};

export type ScriptedProvider = Awaited<ReturnType<typeof scriptedProvider>>;

/**
 * A provider over real HTTP that follows the protocol, with real vouchers and signatures, but takes its tokens from a
 * script instead of a model.
 */
export async function scriptedProvider(of: {
  account: LocalAccount;
  domain: Domain;
  windowSeconds: bigint;
  now: () => bigint;
  packages: { chat: ModelPackage; simulation: ModelPackage };
  /** The true answer to every chat, its stop token included. */
  answer: () => number[];
  /** Claimed tensor of every simulation. */
  claimed: Uint8Array;
  /** How the next request is treated, whichever provider it comes to. */
  nextBehaviour: () => Behaviour;
}) {
  const { account, domain, packages } = of;
  let prices: Prices = { in: baseUnits(0n), out: baseUnits(0n), unit: baseUnits(0n) };
  const ledgers = new Map<string, ReturnType<typeof openPayeeLedger>>();
  const highest = new Map<string, { maxClaimableAmount: BaseUnits; signature: Hex }>();
  const runs = new Map<string, Run>();
  const asked: { hint: number[]; request: Uint8Array[]; ceiling: bigint; maximum: bigint }[] = [];
  const cuts: number[] = [];
  let unfinished = 0;
  let told = 0;

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error("scripted provider", error);
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const payment = decodePaymentHeader(String(request.headers["payment-signature"] ?? ""));
    const { channelId, maxClaimableAmount: ceiling } = payment.payload.voucher;
    const key = `${channelId} ${ceiling}`;
    const path = request.url ?? "";
    if (path === "/v1/answers") return answer(request, response, { payment, key });
    const run = runs.get(key);
    if (!run) return json(response, 404, { error: { code: "answer.unknown", message: "unknown" } });
    if (path.endsWith("/cut")) {
      const { tokens } = (await bodyOf(request)) as { tokens: number };
      cuts.push(tokens);
      if (run.done) return text(response, 200, run.done);
      if (run.behaviour.neverTells) return;
      if (tokens > run.sent.length || (tokens === 0 && run.sent.length > 0))
        return json(response, 400, { error: { code: "cut.out_of_range", message: "out of range" } });
      run.cut = tokens;
      if (tokens === 0) {
        release(channelId, ceiling);
        run.done = JSON.stringify({ status: "none", charged: String(ledgerOf(channelId).charged) });
      } else run.done = await sign(run, { tokens: run.sent.slice(0, tokens), request: withLimit(run.request, tokens) });
      return text(response, 200, run.done);
    }
    told += 1;
    if (!run.done || run.behaviour.neverTells)
      return json(response, 200, { status: "running", tokens: run.sent.length });
    const stored = JSON.parse(run.done) as object;
    return json(response, 200, "status" in stored ? stored : { status: "done", ...stored });
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    { payment, key }: { payment: Payment; key: string },
  ): Promise<void> {
    const body = z.decode(answerRequestCodec, (await bodyOf(request)) as z.input<typeof answerRequestCodec>);
    const behaviour = of.nextBehaviour();
    const { refuse } = behaviour;
    if (refuse)
      return json(response, refuse.status, {
        error: { code: refuse.code, message: "refused by the script" },
        ...(refuse.prices && {
          prices: { in: `${refuse.prices.in}`, out: `${refuse.prices.out}`, unit: `${refuse.prices.unit}` },
        }),
      });
    if (behaviour.stallsAfter === -1) return;
    const { channel, voucher, signature } = payment.payload;
    const { channelId, maxClaimableAmount: ceiling } = voucher;
    const { chat, simulation } = packages;
    const isChat = body.model === chat.assetId;
    const parameters = new DataView(body.request.at(-1)?.buffer ?? new ArrayBuffer(0), body.request.at(-1)?.byteOffset);
    const promptLength = isChat ? Number(parameters.getBigInt64(0, true)) : 0;
    const limit = isChat ? Number(parameters.getBigInt64(8, true)) : 0;
    const steps = isChat ? 0 : Number(parameters.getBigInt64(8, true));
    const maximum = isChat
      ? priceOfAnswer({ promptTokens: promptLength, answerTokens: limit, priceIn: prices.in, priceOut: prices.out })
      : priceOfWork({ units: steps, priceUnit: prices.unit });
    asked.push({ hint: body.hint ?? [], request: body.request, ceiling, maximum });
    if (behaviour.knows) {
      const { charged, ...last } = await behaviour.knows(channelId);
      ledgers.set(channelId, { charged, highestCeiling: last.maxClaimableAmount, reserved: [] });
      highest.set(channelId, last);
    }
    const verdict = takeVoucher(ledgerOf(channelId), voucher, {
      channel,
      channelId,
      signer: await recoverVoucherSigner(domain, { voucher, signature }),
      payee: account.address,
      model: BigInt(body.model),
      maximum,
      deposit: baseUnits(10n ** 18n),
      pendingExit: baseUnits(0n),
    });
    if (verdict.status === "refused") {
      const ledger = ledgerOf(channelId);
      const state = z.encode(channelStateCodec, {
        channelId,
        deposit: baseUnits(10n ** 18n),
        pendingExit: baseUnits(0n),
        redeemed: baseUnits(0n),
        charged: ledger.charged,
        reserved: baseUnits(0n),
        ...(highest.has(channelId) && { highest: highest.get(channelId) }),
      });
      return json(response, 402, { error: { code: `voucher.${verdict.reason}`, message: "refused" }, channel: state });
    }
    ledgers.set(channelId, verdict.ledger);
    highest.set(channelId, { maxClaimableAmount: ceiling, signature });
    const prompt = isChat ? tokensOf(body.request[0] as Uint8Array).slice(0, promptLength) : [];
    const run: Run = { behaviour, payment, sent: [], limit, prompt, request: body.request };
    runs.set(key, run);
    unfinished += 1;
    response.on("close", () => (unfinished -= 1));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    const hangUp = async () => {
      // as the protocol says: what was sent is what is signed
      if (run.done) return;
      if (run.sent.length === 0) release(channelId, ceiling);
      run.done =
        run.sent.length === 0
          ? JSON.stringify({ status: "none", charged: String(ledgerOf(channelId).charged) })
          : await sign(run, { tokens: run.sent, request: withLimit(run.request, run.sent.length) });
    };
    response.on("close", () => void hangUp());
    if (behaviour.garbage !== undefined) return void response.end(behaviour.garbage);
    if (behaviour.babbles) {
      const babble = setInterval(() => response.write(": waiting\n\n"), 5);
      response.on("close", () => clearInterval(babble));
      return;
    }
    if (!isChat) {
      run.done = await sign(run, {
        tokens: [],
        request: body.request,
        T: steps,
        claimed: of.claimed,
        opened: simulation,
      });
      return void response.end(event("payment", run.done));
    }
    await stream(response, run, body.hint ?? []);
  }

  async function stream(response: ServerResponse, run: Run, hint: number[]): Promise<void> {
    const { behaviour } = run;
    const truth = of
      .answer()
      .slice(0, run.limit)
      .map((token, i) => behaviour.lies?.[i] ?? token);
    if (hint.length > 0) {
      const differs = hint.findIndex((token, i) => token !== truth[i]);
      const agreed = differs < 0 ? hint.length : differs;
      run.sent.push(...truth.slice(0, agreed));
      response.write(event("hint", JSON.stringify({ agreed })));
    }
    if (behaviour.signsFirst) run.done = await sign(run, { tokens: truth, request: run.request });
    const at = (n: number | undefined) => n !== undefined && run.sent.length >= n;
    while (run.sent.length < truth.length) {
      if (at(behaviour.diesAfter)) return void response.destroy();
      if (at(behaviour.stallsAfter)) return;
      if (at(behaviour.errorAfter))
        return void response.end(
          event("error", JSON.stringify({ error: { code: "engine.failed", message: "out of memory" } })),
        );
      await behaviour.gate?.();
      if (response.destroyed || run.cut !== undefined) return;
      const tokens = truth.slice(run.sent.length, run.sent.length + (behaviour.burst ?? 1));
      run.sent.push(...tokens);
      await new Promise((written) => response.write(event("tokens", JSON.stringify({ tokens })), written));
    }
    if (behaviour.endless) {
      const more = setInterval(() => response.write(event("tokens", JSON.stringify({ tokens: [5] }))), 2);
      response.on("close", () => clearInterval(more));
      return;
    }
    if (at(behaviour.diesAfter)) return void response.destroy();
    if (behaviour.signsNothing) return void response.end();
    run.done ??= await sign(run, { tokens: run.sent, request: run.request });
    response.write(event("payment", run.done));
    if (!behaviour.lingers) return void response.end();
    const linger = setInterval(() => response.write(": still here\n\n"), 20);
    response.on("close", () => clearInterval(linger));
  }

  async function sign(
    run: Run,
    what: { tokens: number[]; request: Uint8Array[]; T?: number; claimed?: Uint8Array; opened?: ModelPackage },
  ): Promise<string> {
    const { behaviour } = run;
    const opened = what.opened ?? packages.chat;
    const { voucher } = run.payment.payload;
    const tokens = behaviour.signsOther ? [...what.tokens.slice(0, -1), 7] : what.tokens;
    const claimed = [what.claimed ?? tokenBytes([...run.prompt, ...tokens])];
    const T = what.T ?? run.prompt.length + tokens.length;
    const preimage = {
      header: opened.manifest.header,
      programRoot: toHash(opened.programRoot),
      weightsRoot: toHash(opened.weightsRoot),
      requestRoot: toHash(bytesToHex(tensorsRoot(what.request))),
      T,
      claimedRoot: toHash(bytesToHex(tensorsRoot(claimed))),
    };
    const price = what.claimed
      ? priceOfWork({ units: T, priceUnit: prices.unit })
      : priceOfAnswer({
          promptTokens: run.prompt.length,
          answerTokens: tokens.length,
          priceIn: prices.in,
          priceOut: prices.out,
        });
    const { ledger, charged } = chargeAnswer(ledgerOf(voucher.channelId), {
      ceiling: voucher.maxClaimableAmount,
      price,
    });
    ledgers.set(voucher.channelId, ledger);
    const answer: Answer = {
      payee: account.address,
      statementId: statementIdOf(preimage),
      channelId: voucher.channelId,
      maxClaimableAmount: voucher.maxClaimableAmount,
      charged: baseUnits(charged + (behaviour.overcharges ?? 0n)),
      until: of.now() + of.windowSeconds + 120n - (behaviour.untilTooEarly ?? 0n),
    };
    const signature = await signAnswer(behaviour.strangersKey ?? account, domain, answer);
    const payment = { answer, signature, preimage, ...(what.claimed && { claimed }) };
    return JSON.stringify(z.encode(paymentEventCodec, payment));
  }

  const release = (channelId: string, ceiling: BaseUnits) =>
    void ledgers.set(channelId, closeReserved(ledgerOf(channelId), ceiling));
  const ledgerOf = (channelId: string) => ledgers.get(channelId) ?? openPayeeLedger();

  return {
    url,
    address: account.address,
    asked,
    cuts,
    /** Forgets what it was asked. */
    reset(): void {
      asked.length = 0;
      cuts.length = 0;
      told = 0;
    },
    setPrices(next: Prices): void {
      prices = next;
    },
    /** How often it was asked how an answer ended. */
    told: () => told,
    /** Answers whose connection is still open. */
    unfinished: () => unfinished,
    /** Answer tokens of the newest request. */
    sent: () => [...runs.values()].at(-1)?.sent.length ?? 0,
    /** Sum of everything that was charged. */
    charged: () => [...ledgers.values()].reduce((sum, ledger) => sum + ledger.charged, 0n),
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const event = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`;

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

const json = (response: ServerResponse, status: number, value: unknown): void =>
  text(response, status, JSON.stringify(value));

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body);
}
