// Challenges an answer that is true, asks one question about its trace when the root is posted, and says nothing more.
// Folder and settings are those of `foldmark challenge`.
//   node test/adversaries/falseChallenger.ts RECEIPT
// The last line that it writes is { id, gasUsed } as JSON.
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { connectMarket, courtMoves, homeOf, openCourt, openKeystore, readConfig, senderOf } from "@foldmark/node";
import { answerDigest, domainOf, parseDeployment, parseReceipt } from "@foldmark/protocol";

const POLL_MS = 100;

const [receiptFile = ""] = process.argv.slice(2);
const { answer, answerSignature: signature, preimage } = parseReceipt(JSON.parse(readFileSync(receiptFile, "utf8")));
const config = await readConfig(homeOf(process.env), { variables: process.env });
const deployment = parseDeployment(readFileSync(config.network.deployment, "utf8"));
const market = await connectMarket({ ...config.network, deployment });
const password = readFileSync(config.signer.passwordFile ?? "", "utf8").split("\n", 1)[0] ?? "";
const { account } = await openKeystore(config.signer.keystore, password);
const court = await openCourt(market);
const moves = courtMoves(court, senderOf(market, account));

const digest = answerDigest(domainOf(deployment), answer);
const id = await court.challengeId(digest, account.address);
const made = [await moves.approve(), await moves.challenge({ answer, signature, preimage })];
let root: Uint8Array | undefined;
while (!root) {
  root = (await court.dispute(digest)).traceRoot;
  if (!root) await wait(POLL_MS);
}
const { position } = await court.game(id);
made.push(await moves.ask(id, preimage, { kind: "ask", position, child: 0, node: root, path: [], record: undefined }));
const gasUsed = made.reduce((sum, move) => sum + (move?.gasUsed ?? 0n), 0n);
console.log(JSON.stringify({ id, gasUsed: gasUsed.toString() }));
process.exit();
