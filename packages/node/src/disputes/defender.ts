import { type BaseUnits, type ChannelId, codeOf, type Domain, FoldmarkError } from "@foldmark/protocol";
import { type Logger, type Polling, poll } from "@foldmark/service";
import type { Address, Hex } from "viem";
import type { Sender } from "../chain/transact.ts";
import type { OpenedModel } from "../engine/openModel.ts";
import type { Ledger } from "../store/ledger.ts";
import { ChallengeWatch, type SeenChallenge } from "./challengeWatch.ts";
import type { CourtReader } from "./court/court.ts";
import { courtMoves } from "./court/courtMoves.ts";
import { type Game, isOver } from "./game/game.ts";
import { Player } from "./player.ts";
import { answerByDigest, type DefendedAnswer } from "./storedAnswers.ts";
import type { DisputeTrace, OpenTrace } from "./traces/disputeTrace.ts";
import { TraceShelf } from "./traces/traceShelf.ts";

export type DefenderDeps = {
  court: CourtReader;
  sender: Sender;
  ledger: Ledger;
  domain: Domain;
  payee: Address;
  models: readonly OpenedModel[];
  openTrace: OpenTrace;
  log: Logger;
  clock?: () => number;
};

/** An answer of ours that somebody disputes. `unknown` until it has been computed again. */
type Case = {
  answer: DefendedAnswer;
  model: OpenedModel;
  verdict: "unknown" | "true" | "false";
  /** Milliseconds since the process began, before which its trace is not tried again. */
  retryAt: number;
};

/** After a trace could not be built: trying costs a minute of a core. */
const RETRY_MS = 30_000;

/** What the operator sees. */
export type DisputeCounts = {
  open: number;
  /** Challenges in which an answer of ours was convicted, and those that their challengers lost, since the start. */
  convicted: number;
  won: number;
  /** Answers of ours that computing them again has shown to be false. */
  falseAnswers: number;
};

/**
 * The payee's seat of every challenge against this node. An answer is computed again before it is defended: a false one
 * is not, since every move of a lost game costs gas, and a node that has signed one serves no more.
 */
export class Defender {
  readonly #deps: DefenderDeps;
  readonly #watch: ChallengeWatch;
  readonly #shelf: TraceShelf;
  readonly #open = new Map<Hex, SeenChallenge>();
  /** By answer digest; undefined for one that cannot be defended here. */
  readonly #cases = new Map<Hex, Case | undefined>();
  readonly #players = new Map<Hex, Player>();
  readonly #counts = { convicted: 0, won: 0, falseAnswers: 0 };
  #polling: Polling | undefined;
  #isClosed = false;

  private constructor(deps: DefenderDeps) {
    this.#deps = deps;
    this.#watch = new ChallengeWatch(deps.court, deps.payee);
    this.#shelf = new TraceShelf(deps.openTrace);
  }

  /** Finds the challenges that are open already, then plays. @throws `chain.unreachable` */
  static async open(deps: DefenderDeps, { pollMs }: { pollMs: number }): Promise<Defender> {
    const defender = new Defender(deps);
    await defender.#find();
    defender.#polling = poll(() => defender.#look(), {
      intervalMs: pollMs,
      onError: (error) =>
        deps.log.warn({ code: codeOf(error), err: error }, "disputes were not seen to; it is tried again"),
    });
    return defender;
  }

  get counts(): DisputeCounts {
    return { open: this.#open.size, ...this.#counts };
  }

  /** Answers whose evidence must stay. */
  get kept(): { channelId: ChannelId; ceiling: BaseUnits }[] {
    return [...this.#cases.values()].flatMap((each) =>
      each ? [{ channelId: each.answer.channelId, ceiling: each.answer.ceiling }] : [],
    );
  }

  /** @throws `node.not_serving` after an answer of this node has turned out to be false */
  checkHonest(): void {
    if (this.#counts.falseAnswers === 0) return;
    throw new FoldmarkError("node.not_serving", "This node has signed a false answer: it takes no exact work.", {
      hint: "Ask another provider.",
    });
  }

  /** An open challenge, as long as its answer is defended here. */
  challenge(id: Hex): (SeenChallenge & { model: OpenedModel }) | undefined {
    const challenge = this.#open.get(id);
    if (!challenge) return undefined;
    const known = this.#cases.get(challenge.answerDigest);
    return known?.verdict === "true" ? { ...challenge, model: known.model } : undefined;
  }

  /**
   * The trace of a defended answer, while it is at hand. None is built for who asks off the chain: three challengers who
   * ask in turn would push every trace off the shelf that this seat builds for a move.
   * @throws `node.busy`
   */
  async traceOf(answerDigest: Hex): Promise<DisputeTrace> {
    const trace = this.#shelf.peek(answerDigest);
    if (trace) return trace;
    throw new FoldmarkError("node.busy", "This node is at work on other disputes.", {
      details: { retryAfterSeconds: 60 },
      hint: "Ask for the nodes at the court.",
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#shelf.close(); // a trace that is being built keeps a look waiting
    await this.#polling?.[Symbol.asyncDispose]();
    await this.#shelf.close();
  }

  async #find(): Promise<void> {
    for (const challenge of await this.#watch.next()) this.#open.set(challenge.id, challenge);
    for (const challenge of this.#open.values()) {
      if (this.#cases.has(challenge.answerDigest)) continue;
      try {
        this.#cases.set(challenge.answerDigest, this.#caseOf(challenge));
      } catch (error) {
        // one answer whose evidence is damaged must not keep the others from being defended
        this.#deps.log.error(
          { dispute: challenge.id, answer: challenge.answerDigest, code: codeOf(error), err: error },
          "a disputed answer cannot be read from the ledger; the others are defended",
        );
        if (codeOf(error) === "store.damaged") this.#cases.set(challenge.answerDigest, undefined);
      }
    }
  }

  /** Plays every game in which something is to be done, the most urgent first. */
  async #look(): Promise<void> {
    await this.#find();
    const games = await Promise.all([...this.#open.keys()].map((id) => this.#deps.court.game(id)));
    games.sort((a, b) => (a.deadline < b.deadline ? -1 : 1));
    for (const game of games) {
      if (this.#isClosed) return;
      if (isOver(game)) await this.#end(game);
      else {
        try {
          await this.#play(game);
        } catch (error) {
          if (this.#isClosed) return;
          this.#deps.log.error(
            { dispute: game.id, code: codeOf(error), err: error },
            "a move failed; it is tried again",
          );
        }
      }
    }
  }

  async #play(game: Game): Promise<void> {
    const known = this.#cases.get(game.answerDigest);
    const challenge = this.#open.get(game.id);
    if (!known || !challenge || performance.now() < known.retryAt) return;
    if (known.verdict === "unknown") await this.#judge(game, known);
    if (known.verdict !== "true") return;
    const player = this.#players.get(game.id) ?? (await this.#player(challenge, known));
    await player.lookAsPayee();
  }

  async #player(challenge: SeenChallenge, known: Case): Promise<Player> {
    const { court, sender, log, clock } = this.#deps;
    const { id, block, answerDigest } = challenge;
    // a trace that others have pushed off the shelf is built again
    const own: DisputeTrace = await this.#trace(answerDigest, known);
    const lazily: DisputeTrace = {
      ...{ T: own.T, root: own.root, firstFalse: own.firstFalse },
      nodes: async (...asked) => (await this.#trace(answerDigest, known)).nodes(...asked),
      leaf: async (...asked) => (await this.#trace(answerDigest, known)).leaf(...asked),
      refutation: async (...asked) => (await this.#trace(answerDigest, known)).refutation(...asked),
      close: async () => undefined,
    };
    const player = new Player(
      { id, fromBlock: block, own: lazily, preimage: known.answer.preimage, program: known.model.program },
      { court, moves: courtMoves(court, sender), log, ...(clock ? { clock } : {}) },
    );
    this.#players.set(id, player);
    return player;
  }

  /** Computes a disputed answer again. */
  async #judge({ id, answerDigest, deadline }: Game, known: Case): Promise<void> {
    const { log } = this.#deps;
    const trace = await this.#trace(answerDigest, known);
    known.verdict = trace.firstFalse ? "false" : "true";
    const fields = { dispute: id, answer: answerDigest, model: known.model.name, T: trace.T, deadline };
    if (!trace.firstFalse) {
      log.warn(fields, "an answer of ours is disputed; computed again it is right, and it is defended");
      return;
    }
    this.#counts.falseAnswers++;
    await this.#shelf.drop(answerDigest);
    log.error(
      { ...fields, element: trace.firstFalse },
      "OUR ANSWER IS FALSE: computed again, an element of its last stage is not 1. No exact work is taken any more and no gas is spent on the lost dispute; test this machine's memory and run the engine's known answers",
    );
  }

  async #trace(answerDigest: Hex, known: Case): Promise<DisputeTrace> {
    const { answer, model } = known;
    const { preimage, evidence } = answer;
    const { request, claimed } = evidence;
    try {
      return await this.#shelf.take(answerDigest, { folder: model.folder, T: preimage.T, request, claimed });
    } catch (error) {
      known.retryAt = performance.now() + RETRY_MS;
      throw error;
    }
  }

  #caseOf({ id, answerDigest, channelId, statementId }: SeenChallenge): Case | undefined {
    const { models, log } = this.#deps;
    const answer = answerByDigest(this.#deps, { answerDigest, channelId, statementId });
    if (!answer) {
      log.error(
        { dispute: id, answer: answerDigest },
        "a disputed answer is not in this ledger and cannot be defended here",
      );
      return undefined;
    }
    const { programRoot, weightsRoot } = answer.preimage;
    const model = models.find((each) => each.programRoot === programRoot && each.weightsRoot === weightsRoot);
    if (!model) {
      log.error(
        { dispute: id, programRoot, weightsRoot },
        "the model of a disputed answer is not configured any more: add its package under `models` and start again",
      );
      return undefined;
    }
    return { answer, model, verdict: "unknown", retryAt: 0 };
  }

  async #end({ id, turn, answerDigest }: Game): Promise<void> {
    const { log } = this.#deps;
    this.#open.delete(id);
    this.#players.delete(id);
    if (turn === "won") this.#counts.convicted++;
    if (turn === "lost") this.#counts.won++;
    if (turn === "won")
      log.error(
        { dispute: id, answer: answerDigest },
        "an answer of ours was convicted: a penalty is taken from the stake",
      );
    else log.info({ dispute: id, answer: answerDigest, turn }, "a dispute is over");
    if ([...this.#open.values()].some((other) => other.answerDigest === answerDigest)) return;
    this.#cases.delete(answerDigest);
    await this.#shelf.drop(answerDigest);
  }
}
