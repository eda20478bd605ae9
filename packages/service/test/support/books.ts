import type { Hex } from "viem";
import type { MarketEvent } from "../../src/index.ts";

/** What every slot of PaymentChannels holds, as its events and the times of their blocks tell it. */
export type Books = {
  balances: Map<Hex, { deposit: bigint; redeemed: bigint; slack: bigint }>;
  exits: Map<Hex, { amount: bigint; readyAt: bigint }>;
  stakes: Map<Hex, { amount: bigint; unbonding: bigint; releasedAt: bigint }>;
  incomes: Map<Hex, { current: bigint; previous: bigint; epoch: bigint; ready: bigint }>;
  credits: Map<Hex, bigint>;
  modelIncomes: Map<bigint, bigint>;
  parents: Map<bigint, readonly { assetId: bigint; shareBps: number }[]>;
  burnt: bigint;
};

const PROVED = (1n << 80n) - 1n;

/** Reads a whole history into books, as somebody would who has nothing but the chain's logs. */
export function booksOf(events: readonly { event: MarketEvent; timestamp: bigint }[], holdSeconds: bigint): Books {
  const books: Books = {
    balances: new Map(),
    exits: new Map(),
    stakes: new Map(),
    incomes: new Map(),
    credits: new Map(),
    modelIncomes: new Map(),
    parents: new Map(),
    burnt: 0n,
  };
  let stakeTaken = 0n; // by the proof whose own event follows
  for (const { event, timestamp } of events) {
    switch (event.eventName) {
      case "AssetRegistered":
        books.parents.set(event.args.assetId, event.args.registration.parents);
        break;
      case "Deposited":
        balance(books, event.args.id).deposit = event.args.deposit;
        break;
      case "Redeemed": {
        const { id, amount, redeemed, ceiling } = event.args;
        if (amount > 0n) Object.assign(balance(books, id), { redeemed, slack: ceiling - redeemed });
        break;
      }
      case "ExitStarted":
        books.exits.set(event.args.id, event.args);
        break;
      case "Exited":
        books.exits.delete(event.args.id);
        balance(books, event.args.id).deposit -= event.args.amount;
        break;
      case "Split": {
        const { payee, model, total, royalty } = event.args;
        const income = rolled(books, payee, timestamp / holdSeconds);
        if (model === 0n) income.ready += total;
        else income.current += total - royalty;
        if (model !== 0n) add(books.modelIncomes, model, royalty);
        break;
      }
      case "Collected":
        rolled(books, event.args.payee, timestamp / holdSeconds).ready = 0n;
        break;
      case "ModelIncomeTaken": {
        const { model, owner, toOwner } = event.args;
        const income = books.modelIncomes.get(model) ?? 0n;
        books.modelIncomes.set(model, 0n);
        for (const { assetId, shareBps } of books.parents.get(model) ?? [])
          add(books.modelIncomes, assetId, (income * BigInt(shareBps)) / 10_000n);
        add(books.credits, owner, toOwner);
        break;
      }
      case "CreditWithdrawn":
        add(books.credits, event.args.account, -event.args.amount);
        break;
      case "Staked":
        stake(books, event.args.payee).amount = event.args.stake;
        break;
      case "UnbondStarted": {
        const { payee, amount, releasedAt } = event.args;
        Object.assign(stake(books, payee), { unbonding: amount, releasedAt });
        break;
      }
      case "Unbonded":
        Object.assign(stake(books, event.args.payee), { amount: event.args.stake, unbonding: 0n, releasedAt: 0n });
        break;
      case "StakeTaken": {
        const { payee, amount, stake: left, unbonding } = event.args;
        Object.assign(stake(books, payee), { amount: left, unbonding });
        stakeTaken = amount;
        break;
      }
      case "Overcharged": {
        const { id, payee, paid } = event.args;
        const income = rolled(books, payee, timestamp / holdSeconds);
        const fromHeld = 2n * paid - stakeTaken;
        const fromPrevious = fromHeld < income.previous ? fromHeld : income.previous;
        income.previous -= fromPrevious;
        income.current -= fromHeld - fromPrevious;
        balance(books, id).slack = PROVED;
        books.burnt += paid;
        stakeTaken = 0n;
        break;
      }
    }
  }
  return books;
}

/** Held and ready income of a payee at a time. */
export function incomeAt(books: Books, payee: Hex, epoch: bigint): readonly [held: bigint, ready: bigint] {
  const { current, previous, ready } = rolled(books, payee, epoch);
  return [current + previous, ready];
}

/** Everything that the books say is owed to somebody. */
export function owedBy({ balances, stakes, incomes, credits, modelIncomes }: Books): bigint {
  let sum = 0n;
  for (const { deposit, redeemed } of balances.values()) sum += deposit - redeemed;
  for (const { amount } of stakes.values()) sum += amount;
  for (const { current, previous, ready } of incomes.values()) sum += current + previous + ready;
  for (const amount of [...credits.values(), ...modelIncomes.values()]) sum += amount;
  return sum;
}

const balance = ({ balances }: Books, id: Hex) => entry(balances, id, { deposit: 0n, redeemed: 0n, slack: 0n });
const stake = ({ stakes }: Books, payee: Hex) => entry(stakes, payee, { amount: 0n, unbonding: 0n, releasedAt: 0n });

function rolled({ incomes }: Books, payee: Hex, epoch: bigint) {
  const income = entry(incomes, payee, { current: 0n, previous: 0n, epoch, ready: 0n });
  for (; income.epoch < epoch && income.current + income.previous > 0n; income.epoch++) {
    income.ready += income.previous;
    income.previous = income.current;
    income.current = 0n;
  }
  income.epoch = epoch;
  return income;
}

function add<K>(amounts: Map<K, bigint>, key: K, amount: bigint): void {
  amounts.set(key, (amounts.get(key) ?? 0n) + amount);
}

function entry<K, V>(map: Map<K, V>, key: K, initial: V): V {
  const known = map.get(key) ?? initial;
  map.set(key, known);
  return known;
}
