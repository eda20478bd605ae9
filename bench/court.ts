import { openTrace } from "@foldmark/machine";
import { playDisputes } from "./court/disputes.ts";
import { type FoldFigures, refuteEveryFold } from "./court/folds.ts";
import { openJob, T } from "./court/job.ts";
import { openBenchMarket } from "./court/market.ts";
import { traceFigures } from "./court/traceFigures.ts";
import type { BenchOptions } from "./main.ts";
import { largest, median } from "./statistics.ts";

const ROUNDS = 3;
const DISPUTES = 24;
const MOVES = ["challenge", "post", "ask", "reveal", "revealLeaf", "refute"] as const;
/** The whole trace in memory: nothing is computed again while every fold is refuted. */
const IN_MEMORY = { keptBytes: 2 ** 28, smallBytes: 2 ** 31 };

/**
 * What the court costs on the default model at T = 512: every fold refuted on the deployed bytecode, disputes played by
 * both seats, and the trace that they need.
 */
export async function benchCourt(options: BenchOptions): Promise<Record<string, unknown>> {
  await using of = await openJob(options);
  say(`${of.program.stages.length} stages, T = ${T}, seed ${of.seed}`);
  const trace = await traceFigures(of, { rounds: ROUNDS });
  const { traceSeconds, prefillSeconds, memoryBytes, buildingBytes, engineBytes } = trace;
  say(`trace ${traceSeconds.toFixed(2)} s, prefill ${prefillSeconds.toFixed(2)} s of CPU time`);
  say(`memory ${megabytes(engineBytes)} MB before the trace, ${megabytes(buildingBytes)} MB while it is built,`);
  say(`${megabytes(memoryBytes)} MB at most, opening the model included\n`);

  const honest = openTrace(of.engine, of.job, IN_MEMORY);
  await using market = await openBenchMarket();
  const folds = await refuteEveryFold(of, honest, {
    market,
    onFold: (done) => process.stderr.write(`\r${done} folds refuted `),
  });
  process.stderr.write("\r");
  const kinds = kindsOf(folds);
  table(kinds);

  const costliest = folds.reduce((most, fold) => (fold.courtGas > most.courtGas ? fold : most)).target;
  const disputes = await playDisputes(of, honest, {
    ...{ market, chosen: [costliest], drawn: DISPUTES },
    onDispute: ({ name, lie: { stage, t }, gas, rounds, servedGas }) =>
      say(
        `${`${name} (stage ${stage}, step ${t})`.padEnd(48)}${gas.toLocaleString("en").padStart(12)} in ` +
          `${rounds.payee} + ${rounds.challenger} moves, served ${servedGas.toLocaleString("en")}`,
      ),
  });
  honest.close();

  const gases = folds.map(({ gas }) => gas);
  const courtGases = folds.map(({ courtGas }) => courtGas);
  return {
    largestRefuteGas: largest(gases),
    medianRefuteGas: median(gases),
    modelWorstShare: largest(folds.map(({ gas, modelGas }) => gas / modelGas)),
    disputeMedianGas: median(disputes.map(({ gas }) => gas)),
    disputeMaxGas: largest(disputes.map(({ gas }) => gas)),
    roundsMax: largest(disputes.flatMap(({ rounds }) => [rounds.payee, rounds.challenger])),
    servedPathMedianGas: median(disputes.map(({ servedGas }) => servedGas)),
    traceOverPrefill: traceSeconds / prefillSeconds,
    traceMemoryBytes: memoryBytes,
    largestTxGas: largest([...courtGases, ...disputes.map((dispute) => dispute.largest.gas)]),
    largestTxBytes: largest([
      ...folds.map(({ calldataBytes }) => calldataBytes),
      ...disputes.map((dispute) => dispute.largest.calldataBytes),
    ]),
    ...{ courtLargestRefuteGas: largest(courtGases), courtMedianRefuteGas: median(courtGases) },
    bytesWorstShare: largest(kinds.map(({ bytesOfModel }) => bytesOfModel)),
    disputeMedianGasByMove: Object.fromEntries(
      MOVES.map((move) => [move, median(disputes.map(({ gasByMove }) => gasByMove[move] ?? 0))]),
    ),
    courtModelWorstShare: largest(folds.map(({ courtGas, modelGas }) => courtGas / modelGas)),
    ...{ T, seed: Number(of.seed), trace, disputes, kinds },
  };
}

/** Stages that compute the same in each layer, together: the largest figure of each. */
function kindsOf(folds: readonly FoldFigures[]) {
  return [...new Set(folds.map(({ name }) => name))].map((name) => {
    const of = folds.filter((fold) => fold.name === name);
    const most = (figure: (fold: FoldFigures) => number) => largest(of.map(figure));
    return {
      ...{
        name,
        folds: of.length,
        gas: most(({ gas }) => gas),
        courtGas: most(({ courtGas }) => courtGas),
        intrinsicGas: most(({ intrinsicGas }) => intrinsicGas),
      },
      gasOfModel: most(({ gas, modelGas }) => gas / modelGas),
      evidenceBytes: most(({ evidenceBytes }) => evidenceBytes),
      bytesOfModel: most(({ evidenceBytes, modelBytes }) => evidenceBytes / modelBytes),
    };
  });
}

function table(kinds: ReturnType<typeof kindsOf>): void {
  say(
    `${"".padEnd(30)}${["folds", "referee", "court", "intrinsic", "of model", "bytes", "of model"].map(column).join("")}`,
  );
  for (const { name, folds, gas, courtGas, intrinsicGas, gasOfModel, evidenceBytes, bytesOfModel } of kinds) {
    const figures = [folds, gas, courtGas, intrinsicGas, gasOfModel.toFixed(2), evidenceBytes, bytesOfModel.toFixed(2)];
    say(`${name.padEnd(30)}${figures.map((each) => column(each.toLocaleString("en"))).join("")}`);
  }
  say("");
}

const column = (text: string): string => text.padStart(12);
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
