import { arithmetic, type Engine, examineProgram } from "@foldmark/machine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../src/execution/check.ts";
import { runWhole } from "../src/execution/whole.ts";
import { monteCarloFamily } from "../src/families/monteCarlo.ts";
import { blackScholes } from "../src/simulations/closedForm.ts";
import { DEFAULT_MONTE_CARLO, monteCarloConstants } from "../src/simulations/monteCarlo.ts";
import {
  type CallOrder,
  callBlocks,
  callRequest,
  checkCallRequest,
  OPTION,
  readCallPrice,
} from "../src/simulations/option.ts";
import { engines } from "./support/engines.ts";

const bounds = { maxT: DEFAULT_MONTE_CARLO.maxT };
const model = monteCarloFamily.build(DEFAULT_MONTE_CARLO);
const order = (change: Partial<CallOrder> = {}): CallOrder => ({
  rate: 0.05,
  volatility: 0.2,
  maturity: 1,
  strike: 1.05,
  seed: 42n,
  blocks: 2,
  ...change,
});
const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
};

/** The same paths in floats: the reference's Philox and an inverse normal distribution by bisection. */
function floatPrice({ rate, volatility, maturity, strike, seed, blocks }: CallOrder) {
  let sum = 0;
  let squares = 0;
  for (let t = 0; t < blocks; t++) {
    for (let c = 0; c < 1_024; c++) {
      const words = BigInt.asUintN(64, arithmetic.philox(BigInt(t), BigInt(c >> 1), seed));
      const word = Number(c % 2 === 1 ? words >> 32n : words & 0xffff_ffffn);
      const z = quantile((word + 0.5) / 2 ** 32);
      const price = Math.exp((rate - volatility ** 2 / 2) * maturity + volatility * Math.sqrt(maturity) * z);
      const payoff = Math.max(0, price - strike);
      sum += payoff;
      squares += payoff ** 2;
    }
  }
  const paths = blocks * 1_024;
  const discount = Math.exp(-rate * maturity);
  const variance = squares / paths - (sum / paths) ** 2;
  return { price: (discount * sum) / paths, standardError: discount * Math.sqrt(variance / paths) };
}

function quantile(q: number): number {
  let [low, high] = [-8, 8];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (normalBelow(middle) < q) low = middle;
    else high = middle;
  }
  return low;
}
/** By Simpson's rule on the density: another way than the table's and the closed form's. */
function normalBelow(x: number): number {
  const steps = 200;
  const width = x / steps;
  const density = (z: number) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += density(i * width) * (i % 2 === 1 ? 4 : 2);
  return 0.5 + (sum * width) / 3;
}

describe("orders", () => {
  it("say what they ask in millionths", () => {
    const [bytes] = callRequest(order({ seed: 2n ** 64n - 1n }), bounds);
    const view = new DataView((bytes as Uint8Array).buffer);
    const columns = Array.from({ length: 8 }, (_, i) => view.getBigInt64(8 * i, true));
    expect(columns).toEqual([-1n, 2n, 50_000n, 200_000n, 1_000_000n, 1_050_000n, 0n, 0n]);
    expect(callBlocks([bytes as Uint8Array])).toBe(2);
  });

  it.each([
    { what: "no block", change: { blocks: 0 } },
    { what: "half a block", change: { blocks: 1.5 } },
    { what: "more blocks than the program has", change: { blocks: 1_025 } },
    { what: "a payoff that saturates", change: { volatility: 0.6, maturity: 4 } },
    { what: "a rate beyond reason", change: { rate: 0.9, maturity: 9, volatility: 0.1 } },
    { what: "a negative strike", change: { strike: -1 } },
    { what: "a volatility that is no number", change: { volatility: Number.NaN } },
  ])("refuses $what", ({ change }) => {
    expect(codeOf(() => callRequest(order(change), bounds))).toBe("simulation.parameter");
  });

  it("are refused when something lies behind the parameters, or in another shape", () => {
    const [bytes] = callRequest(order(), bounds);
    (bytes as Uint8Array)[63] = 1;
    expect(codeOf(() => checkCallRequest([bytes as Uint8Array], bounds))).toBe("simulation.parameter");
    expect(codeOf(() => checkCallRequest([new Uint8Array(63)], bounds))).toBe("simulation.request_shape");
    expect(codeOf(() => checkCallRequest([], bounds))).toBe("simulation.request_shape");
  });
});

describe("monteCarloProgram", () => {
  it("is accepted: every element can be refuted on chain and no sum overflows", () => {
    const { refusals, costs } = examineProgram(model.program);
    expect(refusals).toEqual([]);
    expect(Math.max(...costs.map(({ gas }) => gas))).toBeLessThan(2_500_000);
  });
});

describe("blackScholes", () => {
  it("knows a textbook's price and the limits", () => {
    expect(blackScholes({ rate: 0.05, volatility: 0.2, maturity: 1, strike: 1 })).toBeCloseTo(0.1045058357, 9); // Hull, 10.4506 of 100
    expect(blackScholes({ rate: 0.05, volatility: 0, maturity: 2, strike: 1 })).toBeCloseTo(1 - Math.exp(-0.1), 12);
    expect(blackScholes({ rate: 0, volatility: 0.3, maturity: 1, strike: 0 })).toBe(1);
  });
});

describe.each(engines)("Monte Carlo, $backend", ({ open }) => {
  let engine: Engine;
  beforeAll(async () => {
    const constants = monteCarloConstants();
    engine = await open(model.program, (index) => constants[index] as Uint8Array);
  });
  afterAll(() => engine.close());
  const priced = (change: Partial<CallOrder>) => {
    const job = runWhole(engine, { model, request: callRequest(order(change), bounds) });
    return { job, ...readCallPrice(job.claimed[0] as Uint8Array) };
  };

  it("gives what floats give on the same paths", () => {
    for (const change of [{}, { rate: -0.02, strike: 0.8, volatility: 0.5, maturity: 3.5, seed: -5n, blocks: 1 }]) {
      const { price, standardError } = priced(change);
      const float = floatPrice(order(change));
      // normals are interpolated to about 1e-5
      expect(Math.abs(price - float.price)).toBeLessThan(1e-5);
      expect(Math.abs(standardError - float.standardError)).toBeLessThan(1e-5);
    }
  });

  it("lies within three standard errors of the closed form", () => {
    for (const change of [{ seed: 1n }, { seed: 2n, strike: 0.9 }, { seed: 3n, volatility: 0.8 }]) {
      const { price, standardError } = priced(change);
      expect(Math.abs(price - blackScholes(order(change)))).toBeLessThan(3 * standardError);
    }
  });

  it("is checked by running it again, and another claim is refused with its element", () => {
    const { job } = priced({ blocks: 1 });
    expect(check(engine, { model, job })).toEqual({ equal: true });
    const claimed = (job.claimed[0] as Uint8Array).slice();
    const view = new DataView(claimed.buffer);
    view.setBigInt64(8, view.getBigInt64(8, true) - 1n, true);
    const found = check(engine, { model, job: { ...job, claimed: [claimed] } });
    const truth = view.getBigInt64(8, true) + 1n;
    expect(found).toEqual({ equal: false, rule: "result", element: 1, claimed: truth - 1n, expected: truth });
  });

  it("is false when fewer blocks were run than ordered, whatever they gave", () => {
    const short = priced({ blocks: 1 });
    const job = { ...short.job, request: callRequest(order({ blocks: 2 }), bounds) };
    expect(check(engine, { model, job })).toEqual({ equal: false, rule: "length", claimed: 1, expected: 2 });
    const want = [{ stage: engine.program.stages.length - 1, fold: 0, steps: "all" as const }];
    expect([...(engine.run({ ...job, want })[0] ?? [])]).toEqual([0, 0]);
  });

  it("never breaks on parameters that take their extremes", () => {
    const last = engine.program.stages.length - 1;
    for (let column = 0; column < OPTION.columns; column++) {
      for (const value of [-(2n ** 63n), -1n, 0n, 2n ** 40n, 2n ** 63n - 1n]) {
        const [bytes] = callRequest(order({ blocks: 1 }), bounds);
        new DataView((bytes as Uint8Array).buffer).setBigInt64(8 * column, value, true);
        const want = [
          { stage: last - 1, fold: 0, steps: "all" as const },
          { stage: last, fold: 0, steps: "all" as const },
        ];
        const [result, ok] = engine.run({ T: 1, request: [bytes as Uint8Array], claimed: [new Uint8Array(16)], want });
        const { price, standardError } = readCallPrice(result as Uint8Array);
        expect(price >= 0 && standardError >= 0, `column ${column}: ${value}`).toBe(true);
        expect(ok?.length).toBe(2);
      }
    }
  });
});
