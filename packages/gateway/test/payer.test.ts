import { baseUnits, foldmarkDomain, toAssetId } from "@foldmark/protocol";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Deposits } from "../src/payments/deposits.ts";
import { openMutex } from "../src/payments/mutex.ts";
import { Payer, type Purchase } from "../src/payments/payer.ts";
import { type Database, openStore } from "../src/store/open.ts";

const signer = privateKeyToAccount(`0x${"11".repeat(32)}`);
const channels = "0x00000000000000000000000000000000000000aa" as const;
const asset = toAssetId(`0x${"22".repeat(32)}`);
let order: Purchase;

let db: Database;
let payer: Payer;
/** What a deposit waits for. */
let mined: Promise<void>;
beforeAll(async () => {
  db = await openStore("memory");
});
afterAll(() => db.destroy());
beforeEach(({ task }) => {
  // a channel for each test
  const payee = `0x${Buffer.from(task.name).toString("hex").slice(0, 80).slice(-40)}` as const;
  order = { payee, asset, maximum: baseUnits(100n), evidence: new Uint8Array(1), waitMs: 10_000 };
  mined = Promise.resolve();
  const deposits: Pick<Deposits, "cover" | "redeemed"> = {
    cover: async () => {
      await mined;
      return undefined;
    },
    redeemed: async () => baseUnits(0n),
  };
  payer = new Payer(
    { domain: foldmarkDomain({ chainId: 1, channels }), token: channels, salt: `0x${"00".repeat(32)}` },
    { db, signer, deposits: deposits as Deposits, mutex: openMutex(), now: () => 0 },
  );
});

async function signed() {
  const { payment, release } = await payer.sign(order);
  release();
  return payment;
}

describe("Payer", () => {
  it("signs nothing more on a channel with four vouchers without a known end, until one has ended", async () => {
    const payments = [];
    for (let i = 0; i < 4; i++) payments.push(await signed());
    const fifth = await signed(); // in flight is not lost
    expect(fifth.payload.voucher.maxClaimableAmount).toBe(500n);
    for (const payment of payments) payer.lose(payment);
    await expect(signed()).rejects.toMatchObject({ code: "channel.exhausted", details: { lost: 4 } });
    for (const payment of payments.slice(0, 1)) await payer.close(payment);
    expect((await signed()).payload.voucher.maxClaimableAmount).toBe(501n);
  });

  it("signs nothing on a channel that is stopped while a voucher waits for its deposit", async () => {
    const first = await signed();
    const { promise, resolve } = Promise.withResolvers<void>();
    mined = promise;
    const second = signed();
    const stopped = payer.stop(first, "answered something else");
    resolve();
    await Promise.all([second, stopped]);
    await expect(signed()).rejects.toMatchObject({ code: "channel.exhausted" });
  });

  it("lets a request go elsewhere whose turn on the channel does not come, and serves those behind it", async () => {
    const { release } = await payer.sign(order);
    const behind = signed();
    await expect(payer.sign({ ...order, waitMs: 5 })).rejects.toMatchObject({ code: "node.busy" });
    const last = signed();
    release();
    expect((await behind).payload.voucher.maxClaimableAmount).toBe(200n);
    expect((await last).payload.voucher.maxClaimableAmount).toBe(300n);
  });
});
