import { isLeaf, type Program } from "@foldmark/machine";
import { chainNow, codeOf, FoldmarkError, type Preimage } from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import type { Hex } from "viem";
import type { CourtReader } from "./court/court.ts";
import type { CourtMoves, Moved } from "./court/courtMoves.ts";
import { endExpired } from "./court/expired.ts";
import { type ChallengerMove, challengerMove } from "./game/challengerMove.ts";
import { readGameEvents, takeReveals } from "./game/courtEvents.ts";
import { descend } from "./game/descent.ts";
import type { Dispute, Game } from "./game/game.ts";
import { type PayeeMove, payeeMove } from "./game/payeeMove.ts";
import { isSame, RevealedTree } from "./game/revealedTree.ts";
import type { DisputeTrace } from "./traces/disputeTrace.ts";
import type { TreeSource } from "./tree/treeSource.ts";

/** Where a game stands after a look at it. `moved` is the move that this look made. */
export type Look = {
  status: "waiting" | "moved" | "over" | "conceded";
  game: Game;
  dispute: Dispute;
  moved?: Moved;
};

export type PlayerDeps = {
  court: CourtReader;
  moves: CourtMoves;
  log: Logger;
  /** Milliseconds since 1970. */
  clock?: () => number;
};

/** A challenge and what one of its seats plays with. */
export type Played = {
  id: Hex;
  /** The block in which the challenge was opened, or one before it. */
  fromBlock: bigint;
  own: DisputeTrace;
  preimage: Preimage;
  program: Program;
  /** Shows the payee's tree off the chain, for the challenger. */
  source?: TreeSource | undefined;
};

/** What was true when a move was decided on is no more when it comes too late: the next look decides anew. */
const OVERTAKEN = new Set([
  ...["NotYourTurn", "RootPosted", "AlreadyConvicted", "ClockExpired", "NothingToEnd", "LeafIsRevealed"],
  ...["UnknownChallenge", "UnknownAnswer"],
  "ExpiredFirst", // another one has run out since the last were ended: a liar's friends fall silent one by one
]);

/**
 * A payee's node may use up this part of the challenger's clock, all its answers together: the court shows the same, and a
 * liar's node would be silent until the clock has run out.
 */
const PATIENCE = 4;

/** Moves in a row that may fail in their block. */
const MOST_FAILED = 3;

type At = { game: Game; dispute: Dispute; now: bigint; head: bigint };

/**
 * Plays one seat of one challenge. All that it knows of the game is the chain's: every look reads it at the latest block
 * and makes at most one move, so that a process that was killed, or a chain that was reorganised, changes nothing.
 */
export class Player {
  readonly #deps: PlayerDeps;
  readonly #played: Played;
  /** What is known of the payee's tree. Everything in it hashes up to the root, so it outlives any reorganisation. */
  #known: { root: Uint8Array; tree: RevealedTree } | undefined;
  #isSourceSpent = false;
  /** Moves in a row that reverted in their block. */
  #failedInBlock = 0;
  /** What the payee's node may still take to answer, in milliseconds. */
  #patienceMs: number;

  constructor(played: Played, deps: PlayerDeps) {
    this.#played = played;
    this.#deps = deps;
    this.#patienceMs = (Number(deps.court.terms.challengerClockSeconds) * 1_000) / PATIENCE;
  }

  /** @throws `chain.*`, `engine.failed`, `gas.too_low` */
  async lookAsChallenger(): Promise<Look> {
    const at = await this.#read();
    const { program, own, preimage, id } = this.#played;
    const { moves, court } = this.#deps;
    const move = await challengerMove({ ...at, program, own, theirs: await this.#theirs(at) });
    return this.#act(move, at, () => {
      if (move.kind === "ask") return moves.ask(id, preimage, move);
      const convict = () =>
        move.kind === "refute" ? moves.refute(id, preimage, move.refutation) : moves.timeout([id]);
      return convict().catch(async (error) => {
        if (revertName(error) !== "ExpiredFirst") throw error;
        await endExpired({ court, moves }, { answerDigest: at.game.answerDigest, head: at.head, now: at.now });
        return convict();
      });
    });
  }

  /** @throws `chain.*`, `engine.failed`, `gas.too_low` */
  async lookAsPayee(): Promise<Look> {
    const at = await this.#read();
    const { own, id } = this.#played;
    const { moves } = this.#deps;
    const move = await payeeMove({ ...at, own });
    return this.#act(move, at, () => {
      switch (move.kind) {
        case "post":
          return moves.post(at.game.answerDigest, move.traceRoot);
        case "reveal":
          return moves.reveal(id, move.nodes);
        case "revealLeaf":
          return moves.revealLeaf(id, move.data);
        default:
          return moves.timeout([id]);
      }
    });
  }

  async #act(move: PayeeMove | ChallengerMove, at: At, send: () => Promise<Moved>): Promise<Look> {
    const { game, dispute } = at;
    if (move.kind === "wait") return { status: "waiting", game, dispute };
    if (move.kind === "over") return { status: "over", game, dispute };
    if (move.kind === "concede") return { status: "conceded", game, dispute };
    const { log } = this.#deps;
    try {
      const moved = await send();
      this.#failedInBlock = 0;
      const { list, height, index, length } = "position" in move ? move.position : game.position;
      const { gasUsed, fee, transaction: tx } = moved;
      log.info(
        { dispute: game.id, move: moved.move, list, height, index, length, gasUsed, fee, tx },
        "moved in a dispute",
      );
      return { status: "moved", game, dispute, moved };
    } catch (error) {
      if (!OVERTAKEN.has(revertName(error) ?? "") && !this.#isOvertakenInBlock(error)) throw error;
      log.info(
        { dispute: game.id, move: move.kind, reason: revertName(error) },
        "a move came too late; the game is read again",
      );
      return { status: "waiting", game, dispute };
    }
  }

  /**
   * A move that was good when it was sent and failed in its block: somebody's came before it, a copied refutation say. Told
   * twice in a row it is something else, and costs gas each time.
   */
  #isOvertakenInBlock(error: unknown): boolean {
    const hasFailed = error instanceof FoldmarkError && error.code === "chain.reverted" && "hash" in error.details;
    return hasFailed && ++this.#failedInBlock < MOST_FAILED;
  }

  async #read(): Promise<At> {
    const { court, clock = Date.now } = this.#deps;
    const block = await court.market.chain.client.getBlock();
    const game = await court.game(this.#played.id, block.number);
    const dispute = await court.dispute(game.answerDigest, block.number);
    const now = chainNow({ latestBlockTimestamp: block.timestamp, ownClockMs: clock() });
    return { game, dispute, now, head: block.number };
  }

  /** Everything that is known of the payee's tree; undefined while it has no root. */
  async #theirs({ game, dispute, head }: At): Promise<RevealedTree | undefined> {
    const { traceRoot: root } = dispute;
    if (!root || dispute.convictedAt > 0n) return undefined;
    const { program, own, fromBlock, id } = this.#played;
    if (!this.#known || !isSame(this.#known.root, root))
      this.#known = { root, tree: new RevealedTree({ program, T: own.T, root }) };
    const { tree } = this.#known;
    if (isSame(root, own.root)) return tree;
    if (game.turn === "challenger") {
      const range = { fromBlock, toBlock: head };
      takeReveals(tree, await readGameEvents(this.#deps.court, { id, answerDigest: game.answerDigest }, range));
    }
    await this.#fetch(tree);
    return tree;
  }

  /** Goes down the tree that the payee's node serves, as far as it does; what it does not show is asked for at the court. */
  async #fetch(tree: RevealedTree): Promise<void> {
    const { program, own, source, id } = this.#played;
    while (source && !this.#isSourceSpent) {
      const descent = await descend({ program, own, theirs: tree });
      if (descent.found === "leaf") return;
      const { position } = descent;
      const signal = AbortSignal.timeout(this.#patienceMs);
      const startedAt = performance.now();
      try {
        const isTrue = isLeaf(position)
          ? tree.addLeaf(await inTime(source.leaf(position, signal), signal))
          : tree.add(await inTime(source.nodes(position, signal), signal));
        if (!isTrue || (!isLeaf(position) && !tree.under(position)))
          throw new FoldmarkError("provider.mismatch", "The payee's node shows a tree that is not under its root.");
      } catch (error) {
        this.#isSourceSpent = true;
        this.#deps.log.warn(
          { dispute: id, code: codeOf(error) },
          "the payee's node does not show its tree; the rest is asked for at the court",
        );
      } finally {
        this.#patienceMs = Math.max(0, Math.floor(this.#patienceMs - (performance.now() - startedAt)));
      }
    }
  }
}

/** What a source shows, if it does before the signal. */
function inTime<Shown>(shown: Promise<Shown>, signal: AbortSignal): Promise<Shown> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return Promise.race([shown, promise]).finally(() => signal.removeEventListener("abort", stop));
}

/** The contract's error by name, if that is what happened. */
export function revertName(error: unknown): string | undefined {
  if (!(error instanceof FoldmarkError) || error.code !== "chain.reverted") return undefined;
  return typeof error.details.error === "string" ? error.details.error : undefined;
}
