import {
  type Answer,
  baseUnits,
  type ChannelId,
  type FoldmarkError,
  signReceipt,
  toAssetId,
  toChannelId,
} from "@foldmark/protocol";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { answer, aReceipt, gateway } from "../../protocol/test/support/builders.ts";
import { deleteExpiredTensors, findReceipt, storeReceipt } from "../src/receipts/receiptStore.ts";
import {
  createApiKey,
  findCaller,
  listApiKeys,
  releaseReservations,
  reserve,
  revokeApiKey,
  settle,
} from "../src/store/apiKeys.ts";
import { countsSince, countUp } from "../src/store/counters.ts";
import { lockInstance } from "../src/store/instanceLock.ts";
import { closeVoucher, findChannelRecord, openChannelRecord, stopChannel, storeVoucher } from "../src/store/ledgers.ts";
import { type Database, openStore } from "../src/store/open.ts";
import { openSealing } from "../src/store/sealing.ts";
import { postgresBin, startPostgres } from "./support/postgres.ts";

const bin = postgresBin();
if (!bin && process.env.CI) throw new Error("PostgreSQL is not installed");

describe.each([
  { name: "PGlite", open: () => openStore("memory") },
  ...(bin ? [{ name: "PostgreSQL", open: () => openPostgres(bin) }] : []),
])("the store on $name", ({ open }) => {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db.destroy());

  const aKey = (budget: bigint) => createApiKey(db, { name: "a key", budget: baseUnits(budget), nowMs: 1 });
  const infoOf = async (id: string) => (await listApiKeys(db)).find((key) => key.id === id);

  describe("API keys", () => {
    it("are found by the key itself and stored without it", async () => {
      const { id, key } = await aKey(100n);
      expect(key).toMatch(/^sk-[\w-]{43}$/);
      expect(await findCaller(db, key)).toMatchObject({
        keyId: id,
        account: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      });
      expect(await findCaller(db, `${key}x`)).toBeUndefined();
      expect(JSON.stringify(await db.selectFrom("api_keys").selectAll().execute(), (_, v) => `${v}`)).not.toContain(
        key,
      );
    });

    it("are unknown once revoked", async () => {
      const { id, key } = await aKey(100n);
      expect(await revokeApiKey(db, { id, nowMs: 2 })).toBe(true);
      expect(await revokeApiKey(db, { id, nowMs: 3 })).toBe(false);
      expect(await findCaller(db, key)).toBeUndefined();
    });

    it("never spend more than their budget, however many requests run at once", async () => {
      const { id: keyId } = await aKey(100n);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) =>
          reserve(db, { requestId: `many ${i}`, keyId, gateway: "a", amount: baseUnits(30n) }),
        ),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
      expect(outcomes.find((outcome) => outcome.status === "rejected")?.reason).toMatchObject({
        code: "budget.exhausted",
        details: { needed: "30", left: "10" },
      });
    });

    it("book what a request did cost, once", async () => {
      const { id: keyId } = await aKey(100n);
      await reserve(db, { requestId: "r1", keyId, gateway: "a", amount: baseUnits(30n) });
      await reserve(db, { requestId: "r1", keyId, gateway: "a", amount: baseUnits(10n) });
      expect(await infoOf(keyId)).toMatchObject({ spent: 0n, reserved: 40n });
      await settle(db, { requestId: "r1", cost: baseUnits(12n) });
      await settle(db, { requestId: "r1", cost: baseUnits(12n) });
      expect(await infoOf(keyId)).toMatchObject({ spent: 12n, reserved: 0n });
    });

    it("get back what a gateway that crashed had set aside, and not another one's", async () => {
      const { id: keyId } = await aKey(100n);
      await reserve(db, { requestId: "c1", keyId, gateway: "crashed", amount: baseUnits(30n) });
      await reserve(db, { requestId: "c2", keyId, gateway: "alive", amount: baseUnits(5n) });
      await releaseReservations(db, "crashed");
      expect(await infoOf(keyId)).toMatchObject({ reserved: 5n });
    });
  });

  describe("ledgers", () => {
    const asset = toAssetId(`0x${"aa".repeat(32)}`);
    const openRecord = (id: ChannelId) =>
      openChannelRecord(
        db,
        { id, payee: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", asset, salt: `0x${"00".repeat(32)}` },
        { redeemed: async () => baseUnits(7n), nowMs: 1 },
      );

    it("begin at what was redeemed, and keep vouchers in flight until they are closed", async () => {
      const id = toChannelId(`0x${"01".repeat(32)}`);
      const { ledger } = await openRecord(id);
      expect(ledger).toEqual({ sum: 7n, largestCharged: 7n, lastCeiling: 7n, inFlight: [] });
      const request = { ceiling: baseUnits(20n), maximum: baseUnits(13n) };
      const next = { ...ledger, lastCeiling: baseUnits(20n), inFlight: [request] };
      const voucher = { ...request, signature: "0x01" as const, evidence: new Uint8Array([1]) };
      await storeVoucher(db, id, { voucher, ledger: next, nowMs: 2 });
      expect((await findChannelRecord(db, id))?.ledger).toEqual(next);
      const closed = { ...next, sum: baseUnits(15n), inFlight: [] };
      await closeVoucher(db, id, { ceiling: request.ceiling, state: "answered", ledger: closed });
      expect((await openRecord(id)).ledger).toEqual(closed);
    });

    it("never hold two vouchers with one ceiling", async () => {
      const id = toChannelId(`0x${"02".repeat(32)}`);
      const { ledger } = await openRecord(id);
      const voucher = {
        ceiling: baseUnits(9n),
        maximum: baseUnits(1n),
        signature: "0x01" as const,
        evidence: new Uint8Array(),
      };
      await storeVoucher(db, id, { voucher, ledger, nowMs: 2 });
      await expect(storeVoucher(db, id, { voucher, ledger, nowMs: 2 })).rejects.toThrow(/duplicate key/);
    });

    it("say why a channel was stopped", async () => {
      const id = toChannelId(`0x${"03".repeat(32)}`);
      await openRecord(id);
      await stopChannel(db, id, "overcharged");
      await stopChannel(db, id, "another reason");
      expect((await openRecord(id)).stopped).toBe("overcharged");
    });
  });

  describe("counters", () => {
    it("add up by day, name and label", async () => {
      const day = Date.UTC(2026, 0, 2);
      await countUp(db, { name: "work", label: "0xa", amount: 5n }, day - 86_400_000);
      await countUp(db, { name: "work", label: "0xa", amount: 7n }, day);
      await countUp(db, { name: "work", label: "0xa", amount: 8n }, day);
      expect(await countsSince(db, "2026-01-02")).toEqual([{ name: "work", label: "0xa", count: 2n, amount: 15n }]);
    });
  });
});

describe("the tensors of a receipt", () => {
  it("are kept while the answer may be challenged, and while a challenge is open", async () => {
    const db = await openStore("memory");
    onTestFinished(() => db.destroy());
    const sealing = openSealing(new Uint8Array(32).fill(1));
    const { id: keyId } = await createApiKey(db, { name: "a key", budget: baseUnits(1n), nowMs: 1 });
    const receiptOf = (charged: bigint) =>
      signReceipt(gateway, aReceipt({ answer: { ...answer, charged: baseUnits(charged) } }));
    const stored = await Promise.all(
      [1n, 2n].map(async (charged) =>
        storeReceipt(db, await receiptOf(charged), { keyId, requestId: `chatcmpl-${charged}`, sealing, nowMs: 1 }),
      ),
    );
    const [disputed = "", other = ""] = stored;
    const isFound = (id: string) =>
      findReceipt(db, { id, keyId, sealing }).then(
        () => true,
        (error: FoldmarkError) => error.code !== "receipt.unknown",
      );
    const isDisputed = ({ charged }: Answer) => charged === 1n;

    expect(await deleteExpiredTensors(db, { expiredBy: answer.until, isDisputed: () => false })).toBe(0);
    expect([await isFound(disputed), await isFound(other)]).toEqual([true, true]);
    expect(await deleteExpiredTensors(db, { expiredBy: answer.until + 1n, isDisputed })).toBe(1);
    expect([await isFound(disputed), await isFound(other)]).toEqual([true, false]);
    expect(await deleteExpiredTensors(db, { expiredBy: answer.until + 1n, isDisputed: () => false })).toBe(1);
    expect(await isFound(disputed)).toBe(false);
  });
});

let server: Awaited<ReturnType<typeof startPostgres>> | undefined;
afterAll(() => server?.[Symbol.asyncDispose]());
async function openPostgres(folder: string): Promise<Database> {
  server = await startPostgres(folder);
  return openStore({ url: server.url });
}

describe.skipIf(!bin)("lockInstance", () => {
  it("lets one gateway of a salt use a database at a time, and others of other salts", async () => {
    const { url } = server ?? { url: "" };
    const [salt, other] = [`0x${"01".repeat(32)}`, `0x${"02".repeat(32)}`] as const;
    const onLost = (error: Error) => expect.unreachable(error.message);
    const first = await lockInstance(url, { salt, onLost });
    await expect(lockInstance(url, { salt, onLost })).rejects.toMatchObject({ code: "store.locked" });
    await (await lockInstance(url, { salt: other, onLost }))[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    await (await lockInstance(url, { salt, onLost }))[Symbol.asyncDispose]();
  });
});

describe("sealing", () => {
  const sealing = openSealing(new Uint8Array(32).fill(1));
  const words = Buffer.from("the words of a caller");
  it("opens what it sealed, and hides it", () => {
    const sealed = sealing.seal(words, "row 1");
    expect(Buffer.from(sealed).includes(words)).toBe(false);
    expect(Buffer.from(sealing.open(sealed, "row 1"))).toEqual(words);
  });
  it.each([
    { behaviour: "another row", open: () => sealing.open(sealing.seal(words, "row 1"), "row 2") },
    { behaviour: "another key", open: () => openSealing(new Uint8Array(32)).open(sealing.seal(words, "r"), "r") },
    {
      behaviour: "changed bytes",
      open: () => {
        const sealed = sealing.seal(words, "r");
        sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
        return sealing.open(sealed, "r");
      },
    },
  ])("refuses $behaviour", ({ open }) => {
    expect(open).toThrow(expect.objectContaining({ code: "store.damaged" }));
  });
});
