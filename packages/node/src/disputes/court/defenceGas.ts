import { FoldmarkError } from "@foldmark/protocol";
import type { Address } from "viem";
import { chainError, type Market } from "../../chain/market.ts";

/** Fees rise while a game goes on: a defence is reckoned at twice the present price. */
const PRICE_FACTOR = 2n;

/** Whether the operator's key can pay for a whole defence. Silence loses a dispute, so without it no exact work is taken. */
export class DefenceGas {
  readonly #market: Market;
  readonly #operator: Address;
  readonly #gas: bigint;
  #balance = 0n;
  #cost = 0n;

  private constructor(market: Market, { operator, gas }: { operator: Address; gas: bigint }) {
    this.#market = market;
    this.#operator = operator;
    this.#gas = gas;
  }

  /** @param gas - of one whole defence @throws `chain.unreachable` */
  static async open(market: Market, of: { operator: Address; gas: bigint }): Promise<DefenceGas> {
    const watch = new DefenceGas(market, of);
    await watch.refresh();
    return watch;
  }

  /** Whole defences that the balance pays for. */
  get defences(): number {
    return this.#cost === 0n ? 0 : Number(this.#balance / this.#cost);
  }

  get balance(): bigint {
    return this.#balance;
  }

  /** @throws `chain.unreachable` */
  async refresh(): Promise<void> {
    const { client } = this.#market.chain;
    try {
      const [balance, price] = await Promise.all([
        client.getBalance({ address: this.#operator }),
        client.getGasPrice(),
      ]);
      this.#balance = balance;
      this.#cost = this.#gas * (price === 0n ? 1n : price) * PRICE_FACTOR;
    } catch (error) {
      throw chainError(error, "read the operator's balance");
    }
  }

  /** @throws `gas.too_low` */
  check(): void {
    if (this.defences >= 1) return;
    throw new FoldmarkError(
      "gas.too_low",
      "This node cannot pay for the defence of an answer: it takes no exact work.",
      {
        details: {
          ...{ operator: this.#operator, balance: this.#balance.toString(), needed: this.#cost.toString() },
          retryAfterSeconds: 60,
        },
        hint: "Ask another provider.",
      },
    );
  }
}
