import {
  CommittedTensors,
  costOfFold,
  type DisputedJob,
  type ElementAt,
  type Program,
  type Refutation,
  refutationOf,
  sizeAt,
  stepsOf,
  type Target,
  type Trace,
} from "@foldmark/machine";
import { refereeAbi } from "@foldmark/protocol/abi";
import { type Address, bytesToHex, encodeFunctionData, type Hex, hexToBytes, size } from "viem";
import { evidenceBytes } from "../../test/support/evidenceCost.ts";
import { stageName } from "../stageNames.ts";
import { largest } from "../statistics.ts";
import type { BenchJob } from "./job.ts";
import { foldOf, lieAt, otherIndex, valueAt } from "./lie.ts";
import { type BenchMarket, preimageOf } from "./market.ts";

/** The most expensive refutation of one fold that was found, beside what the cost model allows it. */
export type FoldFigures = {
  name: string;
  target: Target;
  /** Of the transaction `Referee.refute`, its calldata included: what the cost model bounds. */
  gas: number;
  /** Of the transaction `Court.refute` with the same evidence: the conviction comes on top. */
  courtGas: number;
  /** What the transaction pays before any code runs. */
  intrinsicGas: number;
  /** Of the transaction to the court. */
  calldataBytes: number;
  /** As the cost model counts them. */
  evidenceBytes: number;
  modelGas: number;
  modelBytes: number;
};

const GAS_LIMIT = 16_700_000n;

/** For every fold of the program the largest refutation of one of its elements, sent to the court. */
export async function refuteEveryFold(
  { program, constants, job }: BenchJob,
  honest: Trace,
  { market, onFold }: { market: BenchMarket; onFold(done: number, figures: FoldFigures): void },
): Promise<FoldFigures[]> {
  const { chain, court, payee, challenger } = market;
  const disputed = { ...job, constants: CommittedTensors.of(constants) };
  const atT = { ...program, maxT: job.T };
  const preimage = preimageOf({ program, constants, job });
  const signed = await market.answer(preimage);
  await challenger.moves.challenge(signed);
  const id = await court.challengeId(signed.digest, challenger.account.address);
  const wallet = await chain.viem.getWalletClient(challenger.account.address, { account: challenger.account });
  const { address, abi } = court.contract;
  const { referee } = chain.deployment.contracts;
  const sent = async (call: { to: Address; data: Hex }): Promise<number> => {
    const hash = await wallet.sendTransaction({ ...call, gas: GAS_LIMIT });
    const { status, gasUsed } = await chain.client.getTransactionReceipt({ hash });
    if (status !== "success") throw new Error(`the lie of fold ${figures.length} was not refuted`);
    return Number(gasUsed);
  };
  const figures: FoldFigures[] = [];
  for (const [stage, { folds }] of program.stages.entries())
    for (const fold of folds.keys()) {
      const at = largestElement(program, disputed, { honest, stage, fold });
      const { trace, target } = falseElement(program, honest, at);
      const evidence = refutationOf(program, disputed, target, { trace });
      const shown = refuteArguments(evidence);
      const toReferee = encodeFunctionData({
        ...{ abi: refereeAbi, functionName: "refute" },
        args: [preimage, bytesToHex(trace.root), ...shown],
      });
      const toCourt = encodeFunctionData({ abi, functionName: "refute", args: [id, preimage, ...shown] });
      const snapshot = await chain.networkHelpers.takeSnapshot();
      await payee.moves.post(signed.digest, trace.root);
      const gas = await sent({ to: referee, data: toReferee });
      const courtGas = await sent({ to: address, data: toCourt });
      await snapshot.restore();
      const model = costOfFold(atT, { stage, fold });
      figures.push({
        ...{ name: stageName(stage, program.stages.length), target, gas, courtGas },
        ...{ intrinsicGas: intrinsicGas(toReferee), calldataBytes: size(toCourt) },
        ...{ evidenceBytes: evidenceBytes(evidence), modelGas: model.gas, modelBytes: model.evidenceBytes },
      });
      onFold(figures.length, figures.at(-1) as FoldFigures);
    }
  return figures;
}

/** A trace in which an element does not follow from its operands. */
function falseElement(program: Program, honest: Trace, at: ElementAt): { trace: Trace; target: Target } {
  if (at.stage < program.stages.length - 1) return lieAt(program, honest, at);
  // an element of the last stage that is not 1 needs no evaluation: the costlier lie is a 1 over a token that is not sampled
  const sample = { stage: at.stage - 1, fold: 0, t: at.t - 1, r: 0, c: 0 };
  return { trace: lieAt(program, honest, sample).trace, target: { ...at, j: 0 } };
}

/**
 * Of elements at the ends and in the middle of a fold the one with the largest evidence. Beside each of them lie two
 * others: a row of a matrix spans one leaf more or less, depending on where it begins.
 */
function largestElement(
  program: Program,
  disputed: DisputedJob,
  { honest, stage, fold }: { honest: Trace; stage: number; fold: number },
): ElementAt {
  const { rows, cols, combine } = foldOf(program, { stage, fold });
  const { T } = disputed;
  const decl = program.stages[stage];
  const steps = decl ? stepsOf(decl, T) : 1;
  const candidates = [steps - 1, steps - 2].flatMap((t) => {
    const [R, C] = [sizeAt(rows, { t, T }), sizeAt(cols, { t, T })];
    return [0, 1 / 3, 2 / 3, 1].flatMap((share) =>
      [0, 1, 5].map((beside): ElementAt => {
        const of = (count: number) => Math.min(count - 1, Math.floor(share * count) + beside);
        return { stage, fold, t, r: of(R), c: share === 1 ? Math.max(0, C - 1 - beside) : of(C) };
      }),
    );
  });
  const sizes = candidates.map((at) => {
    const truth = valueAt(program, honest, at);
    const j = combine === "argmax" ? otherIndex(program, at, { truth, T }) : 0;
    return evidenceBytes(refutationOf(program, disputed, { ...at, j }, { trace: honest }));
  });
  return candidates[sizes.indexOf(largest(sizes))] as ElementAt;
}

const hexes = (list: readonly Uint8Array[]): Hex[] => list.map((each) => bytesToHex(each));

function refuteArguments({ target, records, code, openings }: Refutation) {
  return [
    target,
    records.map(({ index, data, path }) => ({ index, data: bytesToHex(data), path: hexes(path) })),
    bytesToHex(code),
    openings.map(({ data, siblings, ...at }) => ({ ...at, data: bytesToHex(data), siblings: hexes(siblings) })),
  ] as const;
}

/** EIP-2028: what a transaction pays for being there and for its calldata. */
function intrinsicGas(data: Hex): number {
  const bytes = hexToBytes(data);
  const zeros = bytes.reduce((sum, byte) => (byte === 0 ? sum + 1 : sum), 0);
  return 21_000 + 4 * zeros + 16 * (bytes.length - zeros);
}
