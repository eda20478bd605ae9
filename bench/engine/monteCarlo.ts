import { openWasm } from "@foldmark/machine";
import {
  blackScholes,
  callRequest,
  DEFAULT_MONTE_CARLO,
  families,
  monteCarloConstants,
  PATHS_PER_BLOCK,
  readCallPrice,
  runWhole,
} from "@foldmark/workloads";
import { openScript } from "./numpy.ts";
import { cpuMs, interleaved, medians, ratio } from "./rounds.ts";

/** The demo's order, in units of the spot price. */
const OPTION = { rate: 0.03, volatility: 0.2, maturity: 1, strike: 1.05 };
const BLOCKS = 256;
const SEED = 2026;
/** One estimate takes too few milliseconds to be timed alone. */
const ESTIMATES = 10;
type Estimate = { price: number; standardError: number; milliseconds: number };

/**
 * The demo's European call of 262,144 paths against numpy's floats, CPU time on one thread: the estimate alone, and `whole`
 * as a provider runs it, which is the estimate and the proof that it is true.
 */
export async function monteCarlo({ cacheDir, rounds }: { cacheDir: string; rounds: number }) {
  const model = families.get("monte-carlo")?.build(DEFAULT_MONTE_CARLO);
  const [source] = model?.answers ?? [];
  if (!model || !source) throw new Error("there is no Monte Carlo family");
  const constants = monteCarloConstants();
  const engine = await openWasm(model.program, (index) => constants[index] ?? new Uint8Array());
  using numpy = await openScript<object, Estimate>(new URL("./monteCarlo.py", import.meta.url), { cacheDir });
  const request = callRequest({ ...OPTION, seed: BigInt(SEED), blocks: BLOCKS }, model.program);
  const want = [{ stage: source.stage, fold: source.fold, steps: "all" as const }];
  const job = { T: BLOCKS, request, claimed: [new Uint8Array(16)], want };
  const times = await interleaved(
    {
      ours: () => each(() => cpuMs(() => believable(readCallPrice(engine.run(job)[0] ?? new Uint8Array())))),
      whole: () => each(() => cpuMs(() => runWhole(engine, { model, request }))),
      numpy: () =>
        each(async () => {
          const estimate = await numpy.ask({ ...OPTION, paths: BLOCKS * PATHS_PER_BLOCK, seed: SEED });
          believable(estimate);
          return estimate.milliseconds;
        }),
    },
    rounds,
  );
  engine.close();
  return {
    ratio: ratio(times.numpy, times.ours),
    wholeRatio: ratio(times.numpy, times.whole),
    milliseconds: medians(times),
  };
}

async function each(estimate: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (let i = 0; i < ESTIMATES; i++) sum += await estimate();
  return sum / ESTIMATES;
}

/** Both must have computed the same thing. */
function believable({ price, standardError }: Omit<Estimate, "milliseconds">): void {
  const errors = Math.abs(price - blackScholes(OPTION)) / standardError;
  if (!(errors < 5)) throw new Error(`the price ${price} is ${errors} standard errors from the closed form`);
}
