import { baseUnits, signVoucher, toChannelId, toCompactSignature } from "@foldmark/protocol";
import { numberToHex } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { aRegistration, openMarket, sessionKey, TUSD } from "../support/market.ts";

describe("gas of a redemption, as a whole transaction", () => {
  let market: Awaited<ReturnType<typeof openMarket>>;
  let model: bigint;
  beforeAll(async () => {
    market = await openMarket();
    model = await market.registerModel(market.author, aRegistration());
    await market.fund(market.payer, 1_000n * TUSD);
  });

  // docs/gas.md says where the bars come from
  it.each([
    { rows: 1, most: 65_000n },
    { rows: 10, most: 22_100n },
    { rows: 50, most: 18_300n },
  ])("of $rows is at most $most for each voucher", async ({ rows, most }) => {
    const { channels, payer, payee, client, domain } = market;
    const terms = Array.from({ length: rows }, (_, i) => ({
      payer: payer.account.address,
      signer: sessionKey.address,
      payee: payee.account.address,
      model,
      salt: numberToHex(rows * 1_000 + i, { size: 32 }),
    }));
    for (const channel of terms) await channels.write.deposit([channel, 2n * TUSD], { account: payer.account });
    const redeem = async (ceiling: bigint, amount: bigint) => {
      const batch = await Promise.all(
        terms.map(async (channel) => {
          const channelId = toChannelId(await channels.read.channelIdOf([channel]));
          const voucher = { channelId, maxClaimableAmount: baseUnits(ceiling) };
          const { r, vs } = toCompactSignature(await signVoucher(sessionKey, domain, voucher));
          return {
            payer: channel.payer,
            signer: channel.signer,
            salt: channel.salt,
            maxClaimableAmount: ceiling,
            amount,
            r,
            vs,
          };
        }),
      );
      const hash = await channels.write.redeem([payee.account.address, model, batch], { account: payee.account });
      return client.getTransactionReceipt({ hash });
    };
    await redeem(TUSD / 2n, TUSD / 4n);
    const { gasUsed, logs } = await redeem(TUSD, TUSD / 2n);
    expect(logs.length).toBe(rows + 1); // a Redeemed for each row and one Split
    expect(gasUsed / BigInt(rows)).toBeLessThanOrEqual(most);
  });
});
