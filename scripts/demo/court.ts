// The court of the story's market, and the product's own command that challenges at it.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type CourtReader, connectMarket, openCourt } from "@foldmark/node";
import { answerDigest, domainOf } from "@foldmark/protocol";
import type { Address, Hex } from "viem";
import { foldmarkText } from "./foldmark.ts";
import { type Home, need, type Served, type Stage } from "./stage.ts";

export async function courtOf(stage: Stage): Promise<CourtReader> {
  const { rpc, deployment } = need(stage, "chain");
  return openCourt(await connectMarket({ rpc: [rpc], deployment }));
}

/** The id of a challenge of an answer by one challenger. */
export function challengeOf(stage: Stage, court: CourtReader, of: { answer: Served; by: Address }): Promise<Hex> {
  const { deployment } = need(stage, "chain");
  return court.challengeId(answerDigest(domainOf(deployment), of.answer.receipt.answer), of.by);
}

/** The receipt of an answer as a file: all that somebody needs to challenge it. */
export async function receiptFile(stage: Stage, name: string, { json }: Served): Promise<string> {
  const file = path.join(stage.work, `${name}-receipt.json`);
  await writeFile(file, JSON.stringify(json), { mode: 0o600 });
  return file;
}

/**
 * `foldmark challenge RECEIPT --yes`, to the end of the game; the gas of all that it sent.
 * @param onLine - told what it says, without its logs @throws where it does not convict
 */
export async function challenge(
  stage: Stage,
  { challenger, receipt, onLine }: { challenger: Home; receipt: string; onLine(line: string): void },
): Promise<bigint> {
  let gas = 0n;
  const args = ["challenge", "--yes", "--package", need(stage, "chat").dir, receipt];
  await foldmarkText(challenger.folder, args, (line) => {
    const [, move = "", used = "0"] = /^(\w+) +(\d+) gas {2}tx 0x/.exec(line) ?? [];
    gas += BigInt(used);
    if (move !== "") onLine(`${move}, ${Number(used).toLocaleString("en")} gas`);
    else if (!line.startsWith("{")) onLine(line);
  });
  return gas;
}
