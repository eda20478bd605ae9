import {
  answerStruct,
  baseUnits,
  signVoucher,
  toChannelId,
  toCompactSignature,
  toStatementId,
} from "@foldmark/protocol";
import { encodeAbiParameters, encodeFunctionData, type Hex, keccak256, numberToHex, sha256 } from "viem";
import { aRegistration, openMarket, sessionKey, TUSD } from "./market.ts";

/** The first second of an epoch of the deployed hold, far ahead of any clock: what is measured never depends on the day. */
const START = 4_102_444_800n;
const HOLD = 1_200;
const WITHOUT_END = 2n ** 256n - 1n;
const MANY = 50;

/** Gas of whole transactions, by call. */
export type GasTable = Record<string, number>;

/**
 * Sends every call to PaymentChannels and measures it, base cost and calldata included. Channel, payee and model are in
 * use already unless the name says otherwise, as in the Solidity tests that measure under the same names.
 */
export async function gasOfChannels(): Promise<GasTable> {
  const market = await openMarket();
  const { channels, token, client, domain, networkHelpers } = market;
  const [payer, payee, author, stranger] = [
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
    return Number(gasUsed);
  };
  await networkHelpers.time.increaseTo(START);
  const model = await market.registerModel(market.author, aRegistration());
  await market.fund(market.payer, 1_000n * TUSD);
  await market.fund(market.payee, 1_000n * TUSD);
  for (const address of [channels.address, author.address]) await token.write.mint([address, 1n]);
  for (const account of [payer, payee]) await token.write.approve([channels.address, WITHOUT_END], { account });

  const salted = (n: number) => ({
    payer: payer.address,
    signer: sessionKey.address,
    payee: payee.address,
    model,
    salt: keccak256(numberToHex(n, { size: 32 })),
  });
  const deposit = (n: number, amount: bigint) => channels.write.deposit([salted(n), amount], { account: payer });
  const rowOf = async (n: number, ceiling: bigint, amount: bigint) => {
    const channel = salted(n);
    const channelId = toChannelId(await channels.read.channelIdOf([channel]));
    const voucher = { channelId, maxClaimableAmount: baseUnits(ceiling) };
    const { r, vs } = toCompactSignature(await signVoucher(sessionKey, domain, voucher));
    return { ...channel, maxClaimableAmount: ceiling, amount, r, vs };
  };
  const redeem = async (numbers: number[], ceiling: bigint, amount: bigint) => {
    const rows = await Promise.all(numbers.map((n) => rowOf(n, ceiling, amount)));
    return channels.write.redeem([payee.address, model, rows], { account: payee });
  };
  await deposit(0, 10n * TUSD);
  await redeem([0], TUSD, TUSD);
  await channels.write.stake([10n * TUSD], { account: payee });

  await measure("deposit: open", deposit(1, TUSD));
  await measure("deposit: top up", deposit(1, TUSD));
  for (const [n, name] of ["open", "top up"].entries()) {
    const salt = numberToHex(n + 1, { size: 32 });
    const id = await channels.read.channelIdOf([salted(2)]);
    const nonce = keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "bytes32" }], [id, salt]));
    const authorization = { from: payer.address, to: channels.address, value: TUSD, validAfter: 0n };
    const signature = await market.payer.signTypedData({
      account: payer,
      domain: { name: "Test USD", version: "1", chainId: domain.chainId, verifyingContract: token.address },
      types: { ReceiveWithAuthorization: AUTHORIZATION },
      primaryType: "ReceiveWithAuthorization",
      message: { ...authorization, validBefore: WITHOUT_END, nonce },
    });
    const args = [salted(2), TUSD, 0n, WITHOUT_END, salt, signature] as const;
    const sent = channels.write.depositWithAuthorization(args, { account: stranger });
    await measure(`depositWithAuthorization: ${name}`, sent);
  }
  const ten = Array.from({ length: 10 }, (_, i) =>
    encodeFunctionData({ abi: channels.abi, functionName: "deposit", args: [salted(i + 10), TUSD] }),
  );
  await measure("multicall: open 10", channels.write.multicall([ten], { account: payer }));

  for (let n = 100; n < 100 + MANY; n++) await deposit(n, 4n * TUSD);
  let [ceiling, amount] = [TUSD / 2n, TUSD / 4n];
  await redeem(range(100, MANY), ceiling, amount);
  for (const count of [1, 10, MANY]) {
    [ceiling, amount] = [ceiling + TUSD, amount + TUSD];
    const gas = await measure(`redeem: ${count}`, redeem(range(100, count), ceiling, amount));
    if (count > 1) table[`redeem: ${count}, each`] = Math.floor(gas / count);
  }

  const answer = {
    payee: payee.address,
    statementId: toStatementId(sha256("0x01")),
    channelId: toChannelId(await channels.read.channelIdOf([salted(0)])),
    maxClaimableAmount: baseUnits(TUSD),
    charged: baseUnits((3n * TUSD) / 4n),
    until: START + 100_000n,
  };
  const { types, primaryType } = answerStruct;
  const signed = await market.payee.signTypedData({ account: payee, domain, types, primaryType, message: answer });
  const { r, vs } = toCompactSignature(signed);
  await measure("proveOvercharge", channels.write.proveOvercharge([salted(0), answer, r, vs], { account: payer }));
  await measure("pay", channels.write.pay([payee.address, model, TUSD], { account: payer }));
  await measure("takeModelIncome: no parents", channels.write.takeModelIncome([model], { account: payer }));
  await measure("withdraw", channels.write.withdraw({ account: author }));
  await measure("startExit", channels.write.startExit([salted(0), TUSD], { account: payer }));
  await networkHelpers.time.increaseTo(START + BigInt(HOLD));
  await measure("finishExit", channels.write.finishExit([salted(0)], { account: payer }));
  await measure("stake: more", channels.write.stake([TUSD], { account: payee }));
  await measure("startUnbond", channels.write.startUnbond([TUSD], { account: payee }));
  await networkHelpers.time.increaseTo(START + BigInt(4 * HOLD));
  await measure("finishUnbond", channels.write.finishUnbond({ account: payee }));
  await measure("collect", channels.write.collect([payee.address], { account: payer }));
  await measure("setOperator: new", channels.write.setOperator([stranger.address, true], { account: payee }));
  await measure("setOperator: withdraw", channels.write.setOperator([stranger.address, false], { account: payee }));
  return table;
}

const AUTHORIZATION = [
  { name: "from", type: "address" },
  { name: "to", type: "address" },
  { name: "value", type: "uint256" },
  { name: "validAfter", type: "uint256" },
  { name: "validBefore", type: "uint256" },
  { name: "nonce", type: "bytes32" },
] as const;
const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
