import { tensorsRoot } from "@foldmark/machine/commitments";
import { codeOf, type Payment, type PaymentEvent, priceOfWork, toAssetId, toHash } from "@foldmark/protocol";
import { tokenBytes, withLimit } from "@foldmark/workloads";
import { type Address, bytesToHex, type Hex } from "viem";
import type { ServedModels } from "../models/openModels.ts";
import { storedAnswer } from "../providers/providerClient.ts";
import { vouchersInFlight } from "../store/ledgers.ts";
import type { Database } from "../store/open.ts";
import { acceptBy } from "./acceptance.ts";
import { priceOfChat } from "./chatJob.ts";
import type { KnownAnswer, ServingDeps } from "./dependencies.ts";
import { type Evidence, openEvidence } from "./evidence.ts";

type Pending = { payment: Payment; evidence: Uint8Array; known: KnownAnswer; tries: number; dueAt: number };

export type SettlementDeps = Omit<ServingDeps, "settleLater"> & { db: Database; models: ServedModels };

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const UNANSWERED = new Set(["provider.unreachable", "provider.stalled", "provider.endpoint_refused"]);

/**
 * Vouchers that were sent and whose end is not known: their providers are asked until they say. An Answer for tokens that
 * were delivered is owed and booked; where nothing was signed, the money at risk is free again.
 */
export class Settlement {
  readonly #deps: SettlementDeps;
  readonly #pending = new Map<string, Pending>();

  constructor(deps: SettlementDeps) {
    this.#deps = deps;
  }

  /** After a start: every voucher that an earlier process left open. */
  async takeUp(salt: Hex): Promise<number> {
    const { db, payer } = this.#deps;
    const rows = await vouchersInFlight(db, salt);
    for (const { payee, asset, ceiling, maximum, signature, evidence } of rows) {
      const voucher = {
        payee: payee as Address,
        asset: toAssetId(asset),
        ceiling,
        maximum,
        signature: signature as Hex,
      };
      if (evidence) this.#add(payer.paymentOf(voucher), { evidence, known: { tokens: [] } });
    }
    return rows.length;
  }

  /** After a request that was broken off. */
  later(payment: Payment, { evidence, known }: { evidence: Uint8Array; known: KnownAnswer }): void {
    this.#add(payment, { evidence, known });
  }

  /** Vouchers whose end is not known. */
  get open(): number {
    return this.#pending.size;
  }

  /** Asks for everything that is due. */
  async run(): Promise<void> {
    const at = this.#deps.now();
    const due = [...this.#pending].filter(([, { dueAt }]) => dueAt <= at);
    // one that does not answer keeps nobody waiting but itself
    const byPayee = Map.groupBy(due, ([, { payment }]) => payment.payload.channel.payee);
    await Promise.all([...byPayee.values()].map((vouchers) => this.#ask(vouchers)));
  }

  /** Asks one provider, voucher by voucher; where one gets no answer the others are put off too. */
  async #ask(vouchers: [string, Pending][]): Promise<void> {
    let isLost = false;
    for (const [key, pending] of vouchers) {
      try {
        if (!isLost && (await this.#settle(pending))) this.#pending.delete(key);
        else this.#putOff(pending);
      } catch (error) {
        isLost = UNANSWERED.has(codeOf(error));
        this.#putOff(pending);
        const { channelId, maxClaimableAmount } = pending.payment.payload.voucher;
        this.#deps.log.info({ channelId, ceiling: maxClaimableAmount, code: codeOf(error) }, "voucher not settled yet");
      }
    }
  }

  #add(payment: Payment, { evidence, known }: { evidence: Uint8Array; known: KnownAnswer }): void {
    const { channelId, maxClaimableAmount } = payment.payload.voucher;
    const key = `${channelId} ${maxClaimableAmount}`;
    const dueAt = this.#deps.now() + FIRST_WAIT_MS;
    if (!this.#pending.has(key)) this.#pending.set(key, { payment, evidence, known, tries: 0, dueAt });
  }

  #putOff(pending: Pending): void {
    this.#deps.payer.lose(pending.payment);
    pending.tries += 1;
    pending.dueAt = this.#deps.now() + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** pending.tries);
  }

  /** Whether the voucher's end is known now. */
  async #settle({ payment, evidence, known }: Pending): Promise<boolean> {
    const { market, connections, payer, sealing, log, tally } = this.#deps;
    const { payee } = payment.payload.channel;
    const endpoint = market.endpointOf(payee);
    if (endpoint === undefined) return false;
    const stored = await storedAnswer(await connections.open(endpoint), { payment }, this.#deps);
    if (stored.status === "running") return false;
    if (stored.status === "done") {
      const { status: _, ...event } = stored;
      const request = openEvidence(evidence, sealing);
      const isOurs = this.#isAbout(request, { payment, event, known });
      const price = isOurs ? priceOf(request, event) : undefined;
      // an answer to something else is owed nothing; what was risked for it stays at risk, and nothing more is risked
      if (price === undefined) {
        await payer.stop(payment, "answered something else");
        log.warn({ provider: payee }, "a stored answer is not one to what was asked");
        return true;
      }
      const verdict = await acceptBy({ payment, event, preimage: event.preimage, price, isLate: true }, this.#deps);
      if (verdict.status === "accepted") tally.add({ name: "borne", label: payee, amount: price });
      log.info({ provider: payee, status: verdict.status, price }, "stored answer settled");
      return true;
    }
    await payer.close(payment);
    return true;
  }

  /** Whether a stored answer is about our request, or about it with its limit lowered, and about the tokens that came. */
  #isAbout(
    request: Evidence,
    { payment, event, known }: { payment: Payment; event: PaymentEvent; known: KnownAnswer },
  ): boolean {
    const model = this.#deps.models.get(payment.accepted.extra.model);
    const { preimage } = event;
    if (!model || preimage.header !== model.header) return false;
    if (preimage.programRoot !== model.programRoot || preimage.weightsRoot !== model.weightsRoot) return false;
    if (request.kind === "simulation")
      return preimage.T === request.T && preimage.requestRoot === rootOf(request.request);
    const count = preimage.T - request.promptTokens;
    if (count < 1 || count > request.limit) return false;
    const candidates = [request.request, withLimit(request.request, count)].map(rootOf);
    if (!candidates.includes(preimage.requestRoot)) return false;
    if (count > known.tokens.length) return true; // tokens that never arrived: its signature answers for them
    const prompt = tokensOfPrompt(request);
    return preimage.claimedRoot === rootOf([tokenBytes([...prompt, ...known.tokens.slice(0, count)])]);
  }
}

const rootOf = (tensors: readonly Uint8Array[]) => toHash(bytesToHex(tensorsRoot(tensors)));

function tokensOfPrompt({ request, promptTokens }: Evidence): number[] {
  const [prompt] = request;
  if (!prompt) return [];
  const view = new DataView(prompt.buffer, prompt.byteOffset, prompt.byteLength);
  return Array.from({ length: promptTokens }, (_, t) => view.getInt32(4 * t, true));
}

function priceOf(request: Evidence, { preimage }: PaymentEvent) {
  if (request.kind === "simulation") return priceOfWork({ units: preimage.T, priceUnit: request.prices.unit });
  const { promptTokens, prices } = request;
  return priceOfChat({ promptTokens, answerTokens: preimage.T - promptTokens }, prices);
}
