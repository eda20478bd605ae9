import { answerStruct, baseUnits, toChannelId, toCompactSignature, toStatementId } from "@foldmark/protocol";
import { type Hex, hashTypedData, zeroHash } from "viem";
import type { GasTable } from "./gasOfChannels.ts";
import { openMarket, sessionKey, TUSD } from "./market.ts";
import { lie, moves, statementId, traceRoot } from "./tinyTrace.ts";

/** Far ahead of any clock: what is measured never depends on the day. */
const START = 4_102_444_800n;
const CLOCK = 300n;
const WITHOUT_END = 2n ** 256n - 1n;
const NOTHING = { stage: 0, fold: 0, t: 0, r: 0, c: 0, j: 0 };

/** Sends every move of a game to the court and measures it, base cost and calldata included, as `Court.gas.t.sol` does. */
export async function gasOfCourt(): Promise<GasTable> {
  const market = await openMarket();
  const { channels, court, token, domain, client, networkHelpers } = market;
  const [payer, payee, alice, bob] = [
    market.payer.account,
    market.payee.account,
    market.author.account,
    market.stranger.account,
  ] as const;
  const table: GasTable = {};
  const measure = async (name: string, sent: Promise<Hex>) => {
    const { gasUsed, status } = await client.getTransactionReceipt({ hash: await sent });
    if (status !== "success") throw new Error(`${name} reverted.`);
    table[name] = Number(gasUsed);
  };
  const { time } = networkHelpers;
  await time.increaseTo(START);
  await market.fund(market.payee, 80n * TUSD);
  await channels.write.stake([80n * TUSD], { account: payee });
  for (const account of [alice, bob]) {
    await token.write.mint([account.address, 1_000n * TUSD]);
    await token.write.approve([court.address, WITHOUT_END], { account });
  }

  const channel = {
    ...{ payer: payer.address, signer: sessionKey.address, payee: payee.address },
    ...{ model: 0n, salt: zeroHash },
  };
  const channelId = toChannelId(await channels.read.channelIdOf([channel]));
  let charged = 0n;
  async function newAnswer() {
    const answer = {
      ...{ payee: payee.address, statementId: toStatementId(statementId), channelId },
      ...{ maxClaimableAmount: baseUnits(5n * TUSD), charged: baseUnits(++charged), until: START + 1_000_000n },
    };
    const { types, primaryType } = answerStruct;
    const signed = await market.payee.signTypedData({ account: payee, domain, types, primaryType, message: answer });
    const digest = hashTypedData({ domain, types, primaryType, message: answer });
    return { answer, digest, ...toCompactSignature(signed) };
  }
  type Signed = Awaited<ReturnType<typeof newAnswer>>;
  const open = ({ answer, r, vs }: Signed, account: typeof alice) =>
    court.write.challenge([answer, r, vs, lie], { account });
  const idOf = ({ digest }: Signed, { address }: typeof alice) => court.read.challengeId([digest, address]);
  const post = ({ digest }: Signed) => court.write.post([digest, traceRoot], { account: payee });
  const ask = (id: Hex, { child, node, path, record }: typeof moves.askRoot) =>
    court.write.ask([id, lie, child, node, path, record], { account: alice });
  const refute = (id: Hex) => court.write.refute([id, lie, NOTHING, [], "0x", []], { account: bob });

  const before = await newAnswer();
  await open(before, alice);
  await open(before, bob);
  const first = await newAnswer();
  await measure("challenge: of an answer", open(first, alice));
  await measure("challenge: one more of it", open(first, bob));
  await measure("post", post(first));

  const id = await idOf(first, alice);
  await measure("ask: the root", ask(id, moves.askRoot));
  await court.write.reveal([id, moves.stages], { account: payee });
  await measure("ask: into a stage", ask(id, moves.askStage));
  await measure("reveal: 16 nodes", court.write.reveal([id, moves.nodes], { account: payee }));
  await measure("ask: four levels down", ask(id, moves.askNode));
  await court.write.reveal([id, moves.pair], { account: payee });
  await ask(id, moves.askLeaf);
  await measure("revealLeaf: 1,024 bytes", court.write.revealLeaf([id, moves.leaf], { account: payee }));

  const next = await newAnswer();
  for (const account of [bob, alice]) await open(next, account);
  await post(next);
  await ask(await idOf(next, alice), moves.askRoot);
  await time.increase(CLOCK + 1n);
  await measure("timeout: one lost", court.write.timeout([[await idOf(next, bob)]], { account: bob }));
  const won = await idOf(next, alice);
  await measure("refute: without evidence, nobody credited before", refute(won));
  await measure("takeBond", court.write.takeBond([won], { account: bob }));
  await measure("withdraw", court.write.withdraw({ account: alice }));
  await measure("takeCompensation", channels.write.takeCompensation([channel], { account: bob }));

  const again = await newAnswer();
  for (const account of [alice, bob]) await open(again, account);
  await refute(await idOf(again, bob)); // now whoever is credited has been before
  const last = await newAnswer();
  for (const account of [alice, bob]) await open(last, account);
  await measure("refute: without evidence", refute(await idOf(last, bob)));

  const straws = (await market.viem.getWalletClients()).slice(5, 15).map(({ account }) => account);
  const lost = await newAnswer();
  for (const account of straws) {
    await token.write.mint([account.address, 2n * TUSD]);
    await token.write.approve([court.address, WITHOUT_END], { account });
    await open(lost, account);
  }
  await post(lost);
  await time.increase(CLOCK + 1n);
  const ids = await Promise.all(straws.map((account) => idOf(lost, account)));
  await measure("timeout: 10 lost", court.write.timeout([ids], { account: bob }));

  const silent = await newAnswer();
  await open(silent, alice);
  await time.increase(3n * CLOCK);
  await measure("timeout: a silent payee", court.write.timeout([[await idOf(silent, alice)]], { account: bob }));
  return table;
}
