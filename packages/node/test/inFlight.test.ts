import { numberToHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectMarket, type Market } from "../src/chain/market.ts";
import { type Sender, senderOf } from "../src/chain/transact.ts";
import { openChain } from "./chain.ts";

let chain: Awaited<ReturnType<typeof openChain>>;
let market: Market;
let sender: Sender;
const account = privateKeyToAccount(numberToHex(0xbeef, { size: 32 }));
const resent: { nonce: number; maxFeePerGas: bigint }[] = [];

/** Blocks come when a test says so, as on a chain that has better things to do. */
const mining = (isOn: boolean) => chain.viem.getTestClient().then((test) => test.setAutomine(isOn));
const mine = () => chain.viem.getTestClient().then((test) => test.mine({ blocks: 1 }));

beforeAll(async () => {
  chain = await openChain();
  market = await connectMarket({ rpc: [chain.url], deployment: chain.deployment });
  sender = senderOf(market, account, { stuckMs: 50, onResend: (sent) => resent.push(sent) });
  await chain.fund(account.address);
});
beforeEach(() => resent.splice(0));
afterAll(() => chain?.close());

const pay = (to: Sender, value = 1n) =>
  to.send("pay", (wallet) => wallet.sendTransaction({ to: account.address, value }));
const nonce = () => chain.client.getTransactionCount({ address: account.address });

describe("a transaction that nobody mines", () => {
  it("is sent again at the same nonce with a higher fee, and mined once", async () => {
    const before = await nonce();
    await mining(false);
    const paid = pay(sender);
    await expect.poll(() => resent.length, { timeout: 20_000 }).toBeGreaterThan(0);
    await mine();
    const receipt = await paid;
    await mining(true);
    expect(receipt.status).toBe("success");
    expect(resent[0]?.nonce).toBe(before);
    expect(receipt.effectiveGasPrice).toBeGreaterThan(0n);
    expect(await nonce()).toBe(before + 1);
    expect((await pay(sender)).status).toBe("success");
  });

  it("is given up by the process that comes after, which does not queue up behind it", async () => {
    const before = await nonce();
    await mining(false);
    const wallet = market.chain.walletOf(account);
    await wallet.sendTransaction({ to: account.address, value: 7n });
    const paid = pay(senderOf(market, account, { stuckMs: 50 }), 9n);
    const blocks = setInterval(mine, 1_500);
    const receipt = await paid;
    clearInterval(blocks);
    await mining(true);
    expect(receipt.status).toBe("success");
    expect(await nonce()).toBe(before + 2);
  });

  it("is not offered more than the limit", async () => {
    await mining(false);
    const frugal = senderOf(market, account, { stuckMs: 20, maxFeePerGas: 1n, onResend: (sent) => resent.push(sent) });
    const paid = pay(frugal);
    await expect
      .poll(() => chain.client.getTransactionCount({ address: account.address, blockTag: "pending" }))
      .toBe((await nonce()) + 1);
    await mine();
    expect((await paid).status).toBe("success");
    await mining(true);
    expect(resent).toEqual([]);
  });
});
