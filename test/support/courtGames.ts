// A local chain with the market on it, payees that lie and challengers that catch them, each a process of its own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { assetIdOf, assetIdToUint, modelIdOf, toHash } from "@foldmark/protocol";
import {
  actor,
  connectLocal,
  deployMarket,
  registration,
  startAnvil,
} from "../../packages/service/test/support/market.ts";
import type { ChallengerOrder } from "../adversaries/lies/challenger.ts";
import { challengersKey, openCourtroom } from "../adversaries/lies/court.ts";
import { decodeEvidence, type Evidence, encodeEvidence } from "../adversaries/lies/evidence.ts";
import type { PayeeOrder, PayeeSeat } from "../adversaries/lies/payee.ts";
import { killPrograms, type Program, startProgram } from "./programs.ts";

/** What a program of test/adversaries/lies has printed, a line each. */
export type Line = { event: string; name: string; id: string; [field: string]: unknown };

export type Player = Program & {
  lines: Line[];
  /** Resolves when the lines satisfy something; rejects when the program ends before. */
  until(is: (lines: Line[]) => boolean): Promise<void>;
  kill(): Promise<void>;
};

const POLL_MS = 200;
/** An account of the chain. */
const AUTHOR = 3;
const PROGRAMS = "test/adversaries/lies";

export type CourtGames = Awaited<ReturnType<typeof openCourtGames>>;

export async function openCourtGames() {
  const anvil = await startAnvil();
  const connection = await connectLocal(anvil.url);
  const deployment = await deployMarket(connection);
  const room = await openCourtroom({ rpc: anvil.url, deployment });
  const work = mkdtempSync(path.join(tmpdir(), "foldmark-lies-"));
  let count = 0;

  function start(program: "payee" | "challenger", order: PayeeOrder | ChallengerOrder): Player {
    const file = path.join(work, `${++count}.json`);
    writeFileSync(file, JSON.stringify(order));
    return linesOf(startProgram([`${PROGRAMS}/${program}.ts`, file]));
  }
  const common = { rpc: anvil.url, deployment, pollMs: POLL_MS };

  return {
    ...{ anvil, room, client: connection.client, deployment },
    /** Starts payees and waits until each has staked and signed; what they signed is what their payers hold. */
    async payees(seats: PayeeSeat[]) {
      const player = start("payee", { ...common, seats });
      await player.until((lines) => lines.some(({ event }) => event === "ready"));
      const signed = new Map<string, Evidence>();
      for (const { event, evidence } of player.lines)
        if (event === "signed") {
          const decoded = decodeEvidence(evidence);
          signed.set(decoded.name, decoded);
        }
      return { ...player, signed };
    },
    /** A payee that goes on with what it has signed in an earlier process. */
    payeeAgain: (seat: PayeeSeat, signed: Evidence): Player =>
      start("payee", { ...common, seats: [{ ...seat, signed: encodeEvidence(signed) }] }),
    /** Starts a challenger of some answers. */
    challenger: (
      name: string,
      evidence: readonly Evidence[],
      options: Pick<ChallengerOrder, "isFunded"> = {},
    ): Player => start("challenger", { ...common, ...options, name, receipts: evidence.map(encodeEvidence) }),
    /** A key of a challenger, with a bond that it has not put up. */
    async funded(name: string, evidence: Evidence) {
      const person = await room.person(challengersKey(name, evidence));
      await person.mint(room.court.terms.bond);
      return person;
    },
    /** Puts empty blocks in the place of the last ones. */
    async reorganise(depth: number) {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "anvil_reorg", params: [depth, []] });
      const response = await fetch(anvil.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      const { error } = (await response.json()) as { error?: { message: string } };
      if (error) throw new Error(error.message);
    },
    /** Puts an asset into the registry; gives back its token id. */
    async registerModel(): Promise<bigint> {
      const asset = assetIdOf(
        modelIdOf({
          header: registration.header,
          programRoot: toHash(registration.programRoot),
          weightsRoot: toHash(registration.weightsRoot),
        }),
        toHash(registration.packageHash),
      );
      await actor(connection, deployment, AUTHOR).registerModel(asset);
      return assetIdToUint(asset);
    },
    /** Lets so many seconds pass. */
    async pass(seconds: number) {
      await anvil.test.increaseTime({ seconds });
      await anvil.test.mine({ blocks: 1 });
    },
    async [Symbol.asyncDispose]() {
      killPrograms();
      await anvil[Symbol.asyncDispose]();
      rmSync(work, { recursive: true, force: true });
    },
  };
}

function linesOf(program: Program): Player {
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  if (!program.child.stdout) throw new Error("a program's output is piped");
  createInterface({ input: program.child.stdout }).on("line", (text) => {
    lines.push(JSON.parse(text));
    for (const look of waiting) look();
  });
  return {
    ...{ ...program, lines },
    async until(is) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => is(lines) && resolve();
      waiting.add(look);
      look();
      const ended = program.ended.then(({ err, code, signal }) => {
        if (!is(lines)) throw new Error(`a player ended (${signal ?? code}) before its time:\n${err}`);
      });
      await Promise.race([promise, ended]);
      waiting.delete(look);
      ended.catch(() => undefined); // it may end at any time after
    },
    async kill() {
      program.child.kill("SIGKILL");
      await program.ended;
    },
  };
}
