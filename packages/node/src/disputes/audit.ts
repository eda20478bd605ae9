import { createHmac } from "node:crypto";
import { type Dirent, readFileSync } from "node:fs";
import { appendFile, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { codeOf, FoldmarkError, parseReceipt, type Receipt, receiptIdOf } from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import { z } from "zod";
import type { ChallengedAnswer, ChallengeOutcome } from "./playChallenge.ts";
import type { Examined } from "./receiptAnswer.ts";

/** What became of one receipt. `left`: not among the share that is computed again. */
export type Audited = {
  receipt: string;
  result: "left" | "true" | "false" | "unjudged" | "convicted" | "lost" | "conceded";
  why?: string;
  challenge?: string;
};

export type AuditOptions = {
  /** Files with one receipt each, or an answer that holds one. */
  files: readonly string[];
  /** Folders in which every .json file is one. */
  folders: readonly string[];
  /** Part of the receipts that is computed again, 0 to 1. */
  share: number;
  /** Decides which: who knows it knows which answers nobody checks. */
  seed: Uint8Array;
  /** Where results are kept, one JSON line each. */
  journal: string;
  /** Challenges that may be open at a time. */
  mostOpen: number;
};

export type AuditDeps = {
  examine(receipt: Receipt, json: unknown): Promise<Examined>;
  /** Undefined where what is false is only told. */
  challenge: ((answer: ChallengedAnswer) => Promise<ChallengeOutcome>) | undefined;
  readReceipt(json: unknown): unknown;
  onResult(audited: Audited): void;
  log: Logger;
};

const lineSchema = z.object({ receipt: z.string(), result: z.string() });
/** Receipts that are done with; what is `false` is challenged again, which goes on where the game stands. */
const FINAL = new Set(["left", "true", "unjudged", "convicted", "lost", "conceded"]);

/** Computes a share of the receipts again that it is given, and challenges what is false. */
export class Audit {
  readonly #options: AuditOptions;
  readonly #deps: AuditDeps;
  readonly #done: Set<string>;
  readonly #games = new Map<string, Promise<void>>();

  constructor(options: AuditOptions, deps: AuditDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#done = readJournal(options.journal);
  }

  /** Looks once at every receipt that has not been seen to. @throws `config.unreadable` */
  async look(): Promise<void> {
    for (const file of await this.#files()) {
      const found = await this.#read(file);
      if (!found || this.#done.has(found.id) || this.#games.has(found.id)) continue;
      if (this.#games.size >= this.#options.mostOpen && this.#deps.challenge) return;
      await this.#audit(found);
    }
  }

  /** Waits until every challenge is over. */
  async settled(): Promise<void> {
    await Promise.all(this.#games.values());
  }

  async #audit({ id, receipt, json }: { id: string; receipt: Receipt; json: unknown }): Promise<void> {
    if (!isChosen(id, this.#options)) return this.#note({ receipt: id, result: "left" });
    const { examine, challenge, log } = this.#deps;
    let examined: Examined;
    try {
      examined = await examine(receipt, json);
    } catch (error) {
      if (
        !(error instanceof FoldmarkError) ||
        (error.code !== "receipt.check_failed" && error.code !== "package.missing")
      )
        throw error;
      return this.#note({ receipt: id, result: "unjudged", why: error.message });
    }
    const { isTrue, why, answer } = examined;
    if (isTrue) return this.#note({ receipt: id, result: "true" });
    await this.#note({ receipt: id, result: "false", why });
    if (!challenge) return;
    const game = challenge(answer).then(
      ({ result, id: dispute }) => this.#note({ receipt: id, result, challenge: dispute }),
      (error) =>
        log.error(
          { receipt: id, code: codeOf(error), err: error },
          "a challenge failed; it is taken up at the next start",
        ),
    );
    this.#games.set(
      id,
      game.finally(() => this.#games.delete(id)),
    );
  }

  async #note(audited: Audited): Promise<void> {
    if (FINAL.has(audited.result)) this.#done.add(audited.receipt);
    await appendFile(this.#options.journal, `${JSON.stringify(audited)}\n`, { mode: 0o600 });
    this.#deps.onResult(audited);
  }

  async #files(): Promise<string[]> {
    const { files, folders } = this.#options;
    const inFolders = await Promise.all(
      folders.map(async (folder) => {
        const entries: Dirent[] = await readdir(folder, { withFileTypes: true }).catch((cause) => {
          throw new FoldmarkError("config.unreadable", `The folder ${folder} cannot be read.`, {
            details: { folder },
            cause,
          });
        });
        return entries
          .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
          .map(({ name }) => path.join(folder, name))
          .sort();
      }),
    );
    return [...files, ...inFolders.flat()];
  }

  /** A file that is being written, or that holds no receipt, is looked at again the next time. */
  async #read(file: string): Promise<{ id: string; receipt: Receipt; json: unknown } | undefined> {
    try {
      const json = this.#deps.readReceipt(JSON.parse(await readFile(file, "utf8")));
      const receipt = parseReceipt(json);
      return { id: receiptIdOf(receipt), receipt, json };
    } catch (error) {
      this.#deps.log.warn({ file, code: codeOf(error) }, "a file holds no receipt");
      return undefined;
    }
  }
}

/** Whether a receipt is computed again: the same decision each time, which nobody without the seed can foresee. */
export function isChosen(receiptId: string, { seed, share }: Pick<AuditOptions, "seed" | "share">): boolean {
  const draw = createHmac("sha256", seed).update(receiptId).digest().readUInt32BE(0);
  return draw < share * 2 ** 32;
}

function readJournal(file: string): Set<string> {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const done = new Set<string>();
  for (const line of text.split("\n")) {
    const parsed = lineSchema.safeParse(parseLine(line));
    if (parsed.success && FINAL.has(parsed.data.result)) done.add(parsed.data.receipt);
  }
  return done;
}

/** A line that a crash has cut off says nothing. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
