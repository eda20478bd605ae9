import {
  type BaseUnits,
  baseUnits,
  bookCharge,
  type Channel,
  chargeAnswer,
  closeReserved,
  closeWithoutAnswer,
  mulDivDown,
  openPayeeLedger,
  openPayerLedger,
  type PayeeLedger,
  type PayerLedger,
  putInFlight,
  takeVoucher,
  toChannelId,
  totalReserved,
} from "../../src/index.ts";

/** What happens next. A message that is lost is lost for good; `at` picks one of several requests. */
export type Event =
  | { do: "ask"; maximum: number; lost: "nothing" | "request" }
  | { do: "answer"; at: number; percent: number; lost: "nothing" | "answer" }
  | { do: "payer crashes" }
  | { do: "payee crashes" };

type Stored = { charged: BaseUnits; price: BaseUnits } | "none";

const payer = "0x1000000000000000000000000000000000000001";
const payee = "0x2000000000000000000000000000000000000002";
const channel: Channel = { payer, signer: payer, payee, model: 7n, salt: `0x${"00".repeat(32)}` };
const channelId = toChannelId(`0x${"01".repeat(32)}`);
const DEPOSIT = baseUnits(1n << 80n);

/**
 * One channel with an honest payer and an honest payee, each with what it has on disk, and messages that get lost. Both
 * keep the rule of the provider protocol: what is stored counts, and whoever lost track asks what became of a ceiling.
 */
export class LossyChannel {
  payer: PayerLedger = openPayerLedger();
  payee: PayeeLedger = openPayeeLedger();
  /** What the payee stored for each ceiling; a ceiling that it never saw is not there. */
  readonly answers = new Map<bigint, Stored>();
  /** The price of every answer that was signed, whoever knows of it. */
  worked = 0n;
  vouchers = 0n;
  /** The largest sum of maxima that ever were in flight at once, for either side. */
  mostInFlight = 0n;
  /** The largest maximum that was ever asked for. */
  largestMaximum = 0n;

  happen(event: Event): void {
    if (event.do === "ask") this.#ask(baseUnits(BigInt(event.maximum)), event.lost === "request");
    else if (event.do === "answer") this.#answer(event);
    else if (event.do === "payee crashes") this.#closeReserved();
    else this.settle();
  }

  /** The payer asks for each ceiling in flight what became of it, as after a start or a broken connection. */
  settle(): void {
    for (const { ceiling } of this.payer.inFlight) {
      const isWorking = this.payee.reserved.some((request) => request.ceiling === ceiling);
      if (isWorking) continue;
      const stored = this.answers.get(ceiling);
      if (stored === undefined || stored === "none") this.payer = closeWithoutAnswer(this.payer, ceiling);
      else this.#book(ceiling, stored);
    }
  }

  /** The payee ends what it is working on, and the payer hears of everything. */
  finish(): void {
    while (this.payee.reserved.length > 0) this.#answer({ at: 0, percent: 100, lost: "answer" });
    this.settle();
  }

  /** What the payee can redeem and nobody can show to be too much: no more under a ceiling than its Answer says. */
  get claim(): bigint {
    let most = 0n;
    for (const stored of this.answers.values()) if (stored !== "none" && stored.charged > most) most = stored.charged;
    return most;
  }

  #ask(maximum: BaseUnits, isLost: boolean): void {
    const { ledger, ceiling } = putInFlight(this.payer, maximum);
    this.payer = ledger;
    this.vouchers++;
    if (maximum > this.largestMaximum) this.largestMaximum = maximum;
    const inFlight = ledger.inFlight.reduce((sum, request) => sum + request.maximum, 0n);
    if (inFlight > this.mostInFlight) this.mostInFlight = inFlight;
    if (isLost) return;
    const verdict = takeVoucher(
      this.payee,
      { channelId, maxClaimableAmount: ceiling },
      { channel, channelId, signer: payer, payee, model: 7n, maximum, deposit: DEPOSIT, pendingExit: baseUnits(0n) },
    );
    if (verdict.status === "refused") throw new Error(`an honest voucher was refused: ${verdict.reason}`);
    this.payee = verdict.ledger;
    const reserved = totalReserved(verdict.ledger);
    if (reserved > this.mostInFlight) this.mostInFlight = reserved;
  }

  #answer({ at, percent, lost }: { at: number; percent: number; lost: "nothing" | "answer" }): void {
    const request = this.payee.reserved[at % this.payee.reserved.length];
    if (!request) return;
    const { ceiling, maximum } = request;
    const price = mulDivDown(maximum, BigInt(percent), 100n);
    const { ledger, charged } = chargeAnswer(this.payee, { ceiling, price });
    this.payee = ledger;
    this.answers.set(ceiling, { charged, price });
    this.worked += price;
    if (lost === "nothing") this.#book(ceiling, { charged, price });
  }

  #book(ceiling: BaseUnits, { charged, price }: { charged: BaseUnits; price: BaseUnits }): void {
    const verdict = bookCharge(this.payer, { ceiling, charged, price });
    if (verdict.status === "refused")
      throw new Error(`an honest answer was refused: ${verdict.reason}, ${charged} of ${verdict.allowed}`);
    this.payer = verdict.ledger;
  }

  #closeReserved(): void {
    for (const { ceiling } of this.payee.reserved) {
      this.payee = closeReserved(this.payee, ceiling);
      this.answers.set(ceiling, "none");
    }
  }
}
