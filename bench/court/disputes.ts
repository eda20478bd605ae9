import { type ElementAt, foldTensorBytes, type Program, sizeAt, stepsOf, type Trace } from "@foldmark/machine";
import type { Preimage } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import type { Moved, MoveName } from "../../packages/node/src/disputes/court/courtMoves.ts";
import { type Look, Player } from "../../packages/node/src/disputes/player.ts";
import type { DisputeTrace } from "../../packages/node/src/disputes/traces/disputeTrace.ts";
import { localTrace } from "../../packages/node/src/disputes/traces/localTrace.ts";
import type { TreeSource } from "../../packages/node/src/disputes/tree/treeSource.ts";
import { type Draws, drawsFrom } from "../../test/support/deep.ts";
import { stageName } from "../stageNames.ts";
import { largest } from "../statistics.ts";
import type { BenchJob } from "./job.ts";
import { foldOf, lieAt } from "./lie.ts";
import { type BenchMarket, preimageOf } from "./market.ts";

const SEED = 6;
/** Moves of both seats that no game comes near. */
const MOST_LOOKS = 200;
/** Levels that a node shows at once over HTTP. */
const SERVED_LEVELS = 8;
const log = createLogger({ name: "node", level: "error" });

/** One lie, disputed twice: with every node asked for at the court, and with a tree that the payee's node serves. */
export type DisputeFigures = {
  name: string;
  lie: ElementAt;
  /** Of all moves of both seats from the challenge to the conviction. */
  gas: number;
  /** The same by kind of move. */
  gasByMove: Partial<Record<MoveName, number>>;
  /** Moves of each seat after the challenge was opened. */
  rounds: { payee: number; challenger: number };
  /** Of the root and the refutation, where the tree is served. */
  servedGas: number;
  largest: { gas: number; calldataBytes: number };
};

export type DisputeOptions = {
  market: BenchMarket;
  chosen: readonly ElementAt[];
  drawn: number;
  onDispute(figures: DisputeFigures): void;
};

type Game = { payee: Moved[]; challenger: Moved[] };

/**
 * Lies at random elements of random stages, played to their end by the code that a node plays with; before them those that
 * were chosen and one in the deepest list of the trace.
 */
export async function playDisputes(
  of: BenchJob,
  honest: Trace,
  { market, chosen, drawn, onDispute }: DisputeOptions,
): Promise<DisputeFigures[]> {
  const { program, job } = of;
  const preimage = preimageOf(of);
  const constants = (index: number) => of.constants[index] ?? new Uint8Array();
  const own = localTrace(honest, { program, constants, job });
  const draws = drawsFrom(SEED);
  const all: DisputeFigures[] = [];
  const random = Array.from({ length: drawn }, () => drawElement(program, job.T, draws));
  for (const lie of [...chosen, deepest(program, job.T), ...random]) {
    const theirs = localTrace(lieAt(program, honest, lie).trace, { program, constants, job });
    const seats = { market, program, preimage, own, theirs };
    const asked = await play(seats);
    const served = await play({ ...seats, source: sourceOf(theirs) });
    if (served.payee.length !== 1 || served.challenger.length !== 2) throw new Error("a served tree was asked for");
    all.push({
      ...{ name: stageName(lie.stage, program.stages.length), lie, gas: gasOf(asked), gasByMove: gasByMove(asked) },
      rounds: { payee: asked.payee.length, challenger: asked.challenger.length - 1 },
      servedGas: gasOf({ payee: served.payee, challenger: served.challenger.slice(1) }),
      largest: await largestOf(market, [asked, served]),
    });
    onDispute(all.at(-1) as DisputeFigures);
  }
  return all;
}

type Seats = {
  market: BenchMarket;
  program: Program;
  preimage: Preimage;
  own: DisputeTrace;
  theirs: DisputeTrace;
  source?: TreeSource;
};

async function play({ market, program, preimage, own, theirs, source }: Seats): Promise<Game> {
  const { court, chain } = market;
  const fromBlock = await chain.client.getBlockNumber();
  const signed = await market.answer(preimage);
  const game: Game = { payee: [], challenger: [await market.challenger.moves.challenge(signed)] };
  const id = await court.challengeId(signed.digest, market.challenger.account.address);
  const player = (seat: "payee" | "challenger", trace: DisputeTrace) =>
    new Player(
      { id, fromBlock, own: trace, preimage, program, ...(seat === "challenger" && source && { source }) },
      { court, moves: market[seat].moves, log },
    );
  const payee = player("payee", theirs);
  const challenger = player("challenger", own);
  const note = (seat: "payee" | "challenger", { moved, status }: Look): boolean => {
    if (moved) game[seat].push(moved);
    return status === "over" || status === "conceded";
  };
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    if (note("payee", await payee.lookAsPayee())) break;
    if (note("challenger", await challenger.lookAsChallenger())) break;
  }
  const { turn } = await court.game(id);
  if (turn !== "won") throw new Error(`a lie was not convicted: the game stands at "${turn}"`);
  return game;
}

/** The liar's own tree, as its node shows it. */
const sourceOf = (trace: DisputeTrace): TreeSource => ({
  nodes: async (position) => {
    const depth = Math.min(SERVED_LEVELS, position.height);
    return { position, depth, nodes: await trace.nodes(position, depth) };
  },
  leaf: async (position) => {
    const { stage, fold, t, index } = position;
    return { position, data: await trace.leaf({ stage, fold, t }, index) };
  },
});

/** In the middle of the fold with the most leaves. */
function deepest(program: Program, T: number): ElementAt {
  const sizes = program.stages.map((_, stage) => foldTensorBytes(program, { stage, fold: 0, t: 0 }, T));
  const stage = sizes.indexOf(largest(sizes));
  const { cols } = foldOf(program, { stage, fold: 0 });
  const t = Math.floor(T / 2);
  return { stage, fold: 0, t, r: 0, c: Math.floor(sizeAt(cols, { t, T }) / 2) };
}

function drawElement(program: Program, T: number, draws: Draws): ElementAt {
  const stage = draws.below(program.stages.length);
  const decl = program.stages[stage];
  const fold = draws.below(decl?.folds.length ?? 1);
  const shape = decl?.folds[fold];
  if (!decl || !shape) throw new Error(`there is no stage ${stage}`);
  const t = draws.below(stepsOf(decl, T));
  return { stage, fold, t, r: draws.below(sizeAt(shape.rows, { t, T })), c: draws.below(sizeAt(shape.cols, { t, T })) };
}

const gasOf = ({ payee, challenger }: Game): number =>
  Number([...payee, ...challenger].reduce((sum, { gasUsed }) => sum + gasUsed, 0n));

function gasByMove({ payee, challenger }: Game): Partial<Record<MoveName, number>> {
  const sums: Partial<Record<MoveName, number>> = {};
  for (const { move, gasUsed } of [...challenger, ...payee]) sums[move] = (sums[move] ?? 0) + Number(gasUsed);
  return sums;
}

async function largestOf({ chain }: BenchMarket, games: readonly Game[]) {
  const moves = games.flatMap(({ payee, challenger }) => [...payee, ...challenger]);
  let [gas, calldataBytes] = [0, 0];
  for (const { gasUsed, transaction: hash } of moves) {
    const { input } = await chain.client.getTransaction({ hash });
    gas = Math.max(gas, Number(gasUsed));
    calldataBytes = Math.max(calldataBytes, (input.length - 2) / 2);
  }
  return { gas, calldataBytes };
}
