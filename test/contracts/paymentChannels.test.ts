import { answerStruct, voucherStruct } from "@foldmark/protocol";
import { Signature as EthersSignature, Wallet } from "ethers";
import {
  encodeAbiParameters,
  getAddress,
  type Hex,
  keccak256,
  parseSignature,
  signatureToCompactSignature,
  zeroAddress,
  zeroHash,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { beforeEach, describe, expect, it } from "vitest";
import { aRegistration, openMarket, sessionKey, TUSD } from "../support/market.ts";
import { revertOf } from "../support/revertOf.ts";

const STATUS = { redeemed: 0, clipped: 1, stale: 2, overCeiling: 3, badSignature: 4, slackTooLarge: 5 };

describe("payment channels", () => {
  let market: Awaited<ReturnType<typeof openMarket>>;
  let model: bigint;
  beforeEach(async () => {
    market = await openMarket();
    model = await market.registerModel(market.author, aRegistration());
    await market.fund(market.payer, 1_000n * TUSD);
  });

  const aChannel = ({ salt = zeroHash as Hex, signer = sessionKey.address } = {}) => ({
    payer: market.payer.account.address,
    signer,
    payee: market.payee.account.address,
    model,
    salt,
  });
  const voucherOf = (channelId: Hex, maxClaimableAmount: bigint) =>
    ({
      domain: market.domain,
      types: voucherStruct.types,
      primaryType: voucherStruct.primaryType,
      message: { channelId, maxClaimableAmount },
    }) as const;
  const compact = (signature: Hex) => {
    const { r, yParityAndS: vs } = signatureToCompactSignature(parseSignature(signature));
    return { r, vs };
  };
  async function deposit(channel: ReturnType<typeof aChannel>, amount: bigint): Promise<Hex> {
    await market.channels.write.deposit([channel, amount], { account: market.payer.account });
    return market.channels.read.channelIdOf([channel]);
  }
  async function redeem(rows: readonly Parameters<typeof rowOf>[0][]) {
    const { channels, payee } = market;
    const args = [payee.account.address, model, rows.map(rowOf)] as const;
    const { result } = await channels.simulate.redeem(args, { account: payee.account.address });
    await channels.write.redeem(args, { account: payee.account });
    return { statuses: result[0], total: result[1] };
  }
  const rowOf = ({
    channel,
    ceiling,
    amount,
    signature,
  }: {
    channel: ReturnType<typeof aChannel>;
    ceiling: bigint;
    amount: bigint;
    signature: { r: Hex; vs: Hex };
  }) => ({
    payer: channel.payer,
    signer: channel.signer,
    salt: channel.salt,
    maxClaimableAmount: ceiling,
    amount,
    ...signature,
  });

  it("redeems vouchers signed by viem and by ethers in one batch", async () => {
    const wallet = new Wallet(generatePrivateKey());
    const [byViem, byEthers] = [aChannel(), aChannel({ salt: keccak256("0x02"), signer: getAddress(wallet.address) })];
    const [first, second] = [await deposit(byViem, 5n * TUSD), await deposit(byEthers, 5n * TUSD)];
    const { domain, types, message } = voucherOf(second, 3n * TUSD);
    const { r, yParityAndS: vs } = EthersSignature.from(
      await wallet.signTypedData(domain, { Voucher: [...types.Voucher] }, message),
    );

    const { statuses, total } = await redeem([
      {
        channel: byViem,
        ceiling: 2n * TUSD,
        amount: TUSD,
        signature: compact(await sessionKey.signTypedData(voucherOf(first, 2n * TUSD))),
      },
      { channel: byEthers, ceiling: 3n * TUSD, amount: 3n * TUSD, signature: { r: r as Hex, vs: vs as Hex } },
    ]);

    expect(statuses).toEqual([STATUS.redeemed, STATUS.redeemed]);
    expect(total).toBe(4n * TUSD);
    expect(await market.channels.read.balanceOf([first])).toEqual({ deposit: 5n * TUSD, redeemed: TUSD, slack: TUSD });
    expect(await market.channels.read.modelIncomeOf([model])).toBe((4n * TUSD * 500n) / 10_000n);
    expect(await market.channels.read.incomeOf([market.payee.account.address])).toEqual([3_800_000n, 0n]);
  });

  it("lists every row, the paid and the refused, as an event", async () => {
    const channel = aChannel();
    const id = await deposit(channel, TUSD);
    const signature = compact(await sessionKey.signTypedData(voucherOf(id, 2n * TUSD)));
    await redeem([
      { channel, ceiling: 2n * TUSD, amount: 2n * TUSD + 1n, signature },
      { channel, ceiling: 2n * TUSD, amount: 2n * TUSD, signature },
      { channel, ceiling: 2n * TUSD, amount: 2n * TUSD, signature },
    ]);
    const events = await market.channels.getEvents.Redeemed();
    expect(events.map(({ args }) => [args.id, args.amount, args.redeemed, args.status])).toEqual([
      [id, 0n, 0n, STATUS.overCeiling],
      [id, TUSD, TUSD, STATUS.clipped],
      [id, 0n, TUSD, STATUS.stale],
    ]);
  });

  it("takes a deposit by ERC-3009 that somebody else brings", async () => {
    const { channels, token, domain, stranger, client } = market;
    const payer = privateKeyToAccount(generatePrivateKey());
    await token.write.mint([payer.address, 7n * TUSD]);
    const channel = { ...aChannel(), payer: payer.address };
    const id = await channels.read.channelIdOf([channel]);
    const salt = keccak256("0x01");
    const { timestamp } = await client.getBlock();
    const authorization = {
      from: payer.address,
      to: channels.address,
      value: 7n * TUSD,
      validAfter: 0n,
      validBefore: timestamp + 600n,
      nonce: keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "bytes32" }], [id, salt])),
    };
    const signature = await payer.signTypedData({
      domain: { name: "Test USD", version: "1", chainId: domain.chainId, verifyingContract: token.address },
      types: {
        ReceiveWithAuthorization: [
          { name: "from", type: "address" },
          { name: "to", type: "address" },
          { name: "value", type: "uint256" },
          { name: "validAfter", type: "uint256" },
          { name: "validBefore", type: "uint256" },
          { name: "nonce", type: "bytes32" },
        ],
      },
      primaryType: "ReceiveWithAuthorization",
      message: authorization,
    });
    const bring = (c: typeof channel) =>
      channels.write.depositWithAuthorization(
        [c, authorization.value, authorization.validAfter, authorization.validBefore, salt, signature],
        { account: stranger.account },
      );

    expect(await revertOf(bring({ ...channel, payee: stranger.account.address }))).toEqual({
      name: "ERC3009InvalidSignature",
      args: [],
    });
    await bring(channel);
    expect(await channels.read.balanceOf([id])).toMatchObject({ deposit: 7n * TUSD });
    expect(await revertOf(bring(channel))).toEqual({
      name: "ERC3009UsedAuthorization",
      args: [payer.address, authorization.nonce],
    });
  });

  it("pays an overcharged payer by the payee's own signed answer", async () => {
    const { channels, token, payer, payee, domain, client } = market;
    const channel = aChannel();
    const channelId = await deposit(channel, 10n * TUSD);
    const ceiling = 4n * TUSD;
    const signature = compact(await sessionKey.signTypedData(voucherOf(channelId, ceiling)));
    await redeem([{ channel, ceiling, amount: ceiling, signature }]);
    const { timestamp } = await client.getBlock();
    const answer = {
      payee: payee.account.address,
      statementId: keccak256("0x03"),
      channelId,
      maxClaimableAmount: ceiling,
      charged: 3n * TUSD,
      until: timestamp + 600n,
    };
    const { types, primaryType } = answerStruct;
    const { r, vs } = compact(await payee.signTypedData({ domain, types, primaryType, message: answer }));
    const before = await token.read.balanceOf([payer.account.address]);
    await channels.write.proveOvercharge([channel, answer, r, vs]);
    expect((await token.read.balanceOf([payer.account.address])) - before).toBe(TUSD);
    expect(await channels.read.incomeOf([payee.account.address])).toEqual([1_800_000n, 0n]);
    expect(await revertOf(channels.write.proveOvercharge([channel, answer, r, vs]))).toEqual({
      name: "NotOvercharged",
      args: [],
    });
  });

  it("refuses bad terms and strangers with the values", async () => {
    const { channels, payer, payee, stranger } = market;
    const deposit = (channel: ReturnType<typeof aChannel>) =>
      channels.write.deposit([channel, TUSD], { account: payer.account });
    expect(await revertOf(deposit({ ...aChannel(), signer: zeroAddress }))).toEqual({ name: "BadTerms", args: [] });
    expect(await revertOf(deposit({ ...aChannel(), model: 42n }))).toEqual({ name: "UnknownModel", args: [42n] });
    const redeem = channels.write.redeem([payee.account.address, model, []], { account: stranger.account });
    expect(await revertOf(redeem)).toEqual({ name: "NotAllowed", args: [getAddress(stranger.account.address)] });
  });
});
