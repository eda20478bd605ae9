import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { baseUnits, totalReserved } from "@foldmark/protocol";
import fc from "fast-check";
import type { Hex } from "viem";
import { describe, expect, it, vi } from "vitest";
import { Ledger } from "../src/store/ledger.ts";
import { sealedBox } from "../src/store/sealedBox.ts";
import { aFolder } from "./aFolder.ts";
import { aBox, aChannelId, aVoucher, OWNER } from "./builders.ts";

const open = (folder = aFolder()) => Ledger.open(folder, { owner: OWNER, box: aBox() });
const signed = (charged: bigint, until = 1_000) => ({
  statementId: `0x${"22".repeat(32)}` as Hex,
  until,
  signature: `0x${"cd".repeat(65)}` as Hex,
  evidence: Buffer.from(`evidence of ${charged}`),
});
const settle = (ledger: Ledger, ceiling: bigint, price: bigint, until?: number) =>
  ledger.answer({ channelId: aChannelId(), ceiling: baseUnits(ceiling), price: baseUnits(price), at: 500 }, (charged) =>
    signed(charged, until),
  );

describe("Ledger", () => {
  it("reserves the maximum while a request is in flight and charges its price afterwards", () => {
    const ledger = open();
    ledger.accept(aVoucher(100n), 1);
    expect(ledger.channel(aChannelId())).toMatchObject({
      ledger: { charged: 0n, reserved: [{ ceiling: 100n, maximum: 100n }], highestCeiling: 100n },
      highest: { ceiling: 100n },
    });
    settle(ledger, 100n, 60n);
    expect(ledger.channel(aChannelId())).toMatchObject({ ledger: { charged: 60n, reserved: [] } });
    ledger.close();
  });

  it("uses each ceiling once and only upwards", () => {
    const ledger = open();
    ledger.accept(aVoucher(100n), 1);
    for (const ceiling of [100n, 99n])
      expect(() => ledger.accept(aVoucher(ceiling), 2)).toThrow(expect.objectContaining({ code: "voucher.stale" }));
    ledger.close();
  });

  it("signs at most once for a ceiling, and never for one that was closed", () => {
    const ledger = open();
    ledger.accept(aVoucher(100n), 1);
    settle(ledger, 100n, 60n);
    expect(() => settle(ledger, 100n, 60n)).toThrow(expect.objectContaining({ code: "answer.unknown" }));
    ledger.accept(aVoucher(200n), 1);
    ledger.closeEmpty(aChannelId(), baseUnits(200n));
    expect(() => settle(ledger, 200n, 1n)).toThrow(expect.objectContaining({ code: "answer.unknown" }));
    expect(ledger.lookup(aChannelId(), baseUnits(200n))).toEqual({ status: "none", charged: 60n });
    ledger.close();
  });

  it("states a total clipped to the ceiling when a later voucher was answered first", () => {
    const ledger = open();
    ledger.accept(aVoucher(100n), 1);
    ledger.accept(aVoucher(200n, { maximum: baseUnits(100n) }), 1);
    expect(settle(ledger, 200n, 80n).charged).toBe(80n);
    expect(settle(ledger, 100n, 90n).charged).toBe(100n);
    expect(ledger.channel(aChannelId())?.ledger.charged).toBe(170n);
    expect(ledger.claims()).toMatchObject([{ ceiling: 100n, amount: 100n, owingSince: 500 }]);
    ledger.close();
  });

  it("owes nothing more once the chain has paid, and again after the next answer", () => {
    const ledger = open();
    ledger.accept(aVoucher(100n), 1);
    settle(ledger, 100n, 60n);
    ledger.redeemed(aChannelId(), baseUnits(60n));
    expect(ledger.claims()).toEqual([]);
    ledger.accept(aVoucher(200n), 1);
    settle(ledger, 200n, 5n);
    expect(ledger.claims()).toMatchObject([{ ceiling: 200n, amount: 65n, redeemed: 60n }]);
    ledger.close();
  });

  it("gives back the evidence, which lies encrypted on disk", () => {
    const folder = aFolder();
    const ledger = open(folder);
    ledger.accept(aVoucher(100n), 1);
    settle(ledger, 100n, 60n);
    const found = ledger.lookup(aChannelId(), baseUnits(100n));
    expect(found?.status === "done" && Buffer.from(found.evidence).toString()).toBe("evidence of 60");
    ledger.close();
    expect(readFileSync(path.join(folder, "ledger.db")).includes("evidence of")).toBe(false);
    const other = Ledger.open(folder, { owner: OWNER, box: sealedBox(new Uint8Array(32).fill(8)) });
    expect(() => other.lookup(aChannelId(), baseUnits(100n))).toThrow(
      expect.objectContaining({ code: "store.damaged" }),
    );
    other.close();
  });

  it("deletes an answer after its time and still knows the highest ceiling and what is owed", () => {
    const ledger = open();
    ledger.accept(aVoucher(100n), 1);
    settle(ledger, 100n, 60n, 1_000);
    expect(ledger.prune(1_000)).toBe(0);
    expect(ledger.prune(1_001)).toBe(1);
    expect(ledger.lookup(aChannelId(), baseUnits(100n))).toBeUndefined();
    expect(() => ledger.accept(aVoucher(100n), 2)).toThrow(expect.objectContaining({ code: "voucher.stale" }));
    expect(ledger.claims()).toMatchObject([{ amount: 60n }]);
    ledger.close();
  });

  it("keeps what defends a disputed answer, and finds it by its statement", () => {
    const ledger = open();
    for (const ceiling of [100n, 200n]) {
      ledger.accept(aVoucher(ceiling, { maximum: baseUnits(60n) }), 1);
      settle(ledger, ceiling, 60n, 1_000);
    }
    const kept = { channelId: aChannelId(), ceiling: baseUnits(200n) };
    const stored = ledger.lookup(kept.channelId, kept.ceiling);
    if (stored?.status !== "done") throw new Error("no answer");
    expect(ledger.prune(2_000, [kept])).toBe(1);
    expect(ledger.lookup(kept.channelId, kept.ceiling)).toEqual(stored);
    const { status: _done, ...answer } = stored;
    expect(ledger.answersTo(kept.channelId, stored.statementId)).toEqual([{ ceiling: 200n, ...answer }]);
    expect(ledger.answersTo(aChannelId(2), stored.statementId)).toEqual([]);
    expect(ledger.prune(2_000)).toBe(1);
    ledger.close();
  });

  it("starts a channel without records at what the chain has redeemed", () => {
    const ledger = open();
    ledger.accept(aVoucher(500n, { redeemed: baseUnits(400n), maximum: baseUnits(100n) }), 1);
    settle(ledger, 500n, 10n);
    expect(ledger.claims()).toMatchObject([{ amount: 410n, redeemed: 400n }]);
    ledger.close();
  });

  it("keeps its instance id, and belongs to one payee", () => {
    const folder = aFolder();
    const first = open(folder);
    first.close();
    const second = open(folder);
    expect(second.instance).toBe(first.instance);
    second.close();
    const owner = { ...OWNER, payee: "0x00000000000000000000000000000000000000cc" as const };
    expect(() => Ledger.open(folder, { owner, box: aBox() })).toThrow(
      expect.objectContaining({ code: "config.invalid" }),
    );
  });

  it("charges the sum of all prices and never states more than a ceiling, in whatever order answers come", () => {
    const step = fc.record({
      maximum: fc.bigInt(1n, 1_000n),
      share: fc.bigInt(0n, 100n),
      kind: fc.constantFrom("answer", "none", "wait"),
      turn: fc.nat(12),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const ledger = open();
        let sum = 0n;
        const waiting: [bigint, bigint][] = [];
        const finish = (at: bigint, price: bigint) => {
          sum += price;
          expect(settle(ledger, at, price).charged).toBe(sum < at ? sum : at);
        };
        for (const { maximum, share, kind, turn } of steps) {
          const known = ledger.channel(aChannelId())?.ledger;
          const needed = sum + (known ? totalReserved(known) : 0n) + maximum;
          const highest = known?.highestCeiling ?? 0n;
          const ceiling = needed > highest ? needed : highest + 1n;
          ledger.accept(aVoucher(ceiling, { maximum: baseUnits(maximum) }), 1);
          const price = (maximum * share) / 100n;
          if (kind === "answer") finish(ceiling, price);
          else if (kind === "none") ledger.closeEmpty(aChannelId(), baseUnits(ceiling));
          else waiting.splice(turn % (waiting.length + 1), 0, [ceiling, price]);
        }
        for (const [at, price] of waiting) finish(at, price);
        expect(ledger.channel(aChannelId())?.ledger.charged ?? 0n).toBe(sum);
        // what was clipped from a total, and a payer that leaves never pays, is never more than what can be redeemed
        expect(2n * (ledger.claims()[0]?.amount ?? 0n)).toBeGreaterThanOrEqual(sum);
        ledger.close();
      }),
      { numRuns: 25 },
    );
  });
});

describe("a ledger's folder", () => {
  it("and all its files are their owner's alone", () => {
    const folder = aFolder();
    chmodSync(folder, 0o755);
    const ledger = open(folder);
    ledger.accept(aVoucher(100n), 1);
    const modes = ["", ...readdirSync(folder)].map((name) => [name, statSync(path.join(folder, name)).mode & 0o077]);
    expect(modes.length).toBeGreaterThan(3);
    expect(modes.filter(([, mode]) => mode !== 0)).toEqual([]);
    ledger.close();
  });

  it("closes a voucher later that could not be closed on a disk that took no write", () => {
    const folder = aFolder();
    const ledger = open(folder);
    ledger.accept(aVoucher(100n), 1);
    const exec = DatabaseSync.prototype.exec;
    const disk = vi.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function (this: DatabaseSync, sql) {
      if (sql === "COMMIT") throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
      exec.call(this, sql);
    });
    const full = expect.objectContaining({ code: "store.disk_full" });
    expect(() => settle(ledger, 100n, 60n)).toThrow(full);
    expect(() => ledger.closeEmpty(aChannelId(), baseUnits(100n))).toThrow(full);
    expect(() => ledger.lookup(aChannelId(), baseUnits(100n))).toThrow(full);
    disk.mockRestore();
    expect(ledger.lookup(aChannelId(), baseUnits(100n))).toEqual({ status: "none", charged: 0n });
    expect(ledger.channel(aChannelId())?.ledger).toMatchObject({ charged: 0n, reserved: [] });
    ledger.close();
  });

  it("is refused to a second process, naming the first", async () => {
    const folder = aFolder();
    const child = holder(folder);
    await once(child.stdout, "data");
    expect(() => open(folder)).toThrow(
      expect.objectContaining({ code: "store.locked", message: expect.stringContaining(String(child.pid)) }),
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    open(folder).close();
  });

  it("loses nothing to kill -9: answers stay, vouchers in flight are closed as none", async () => {
    const folder = aFolder();
    const child = holder(folder);
    const [line] = await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(String(line)).toBe("answered 100, in flight 200\n");
    const ledger = open(folder);
    expect(ledger.lookup(aChannelId(), baseUnits(100n))).toMatchObject({ status: "done", charged: 60n });
    expect(ledger.lookup(aChannelId(), baseUnits(200n))).toEqual({ status: "none", charged: 60n });
    expect(ledger.channel(aChannelId())).toMatchObject({
      ledger: { charged: 60n, reserved: [], highestCeiling: 200n },
    });
    ledger.close();
  });

  it.each([
    {
      behaviour: "an overwritten header",
      damage: (file: string) => writeFileSync(file, "not a database, but long enough to be read as one".repeat(100)),
    },
    { behaviour: "a file cut in half", damage: (file: string) => truncateSync(file, 8_192) },
  ])("is refused after $behaviour", ({ damage }) => {
    const folder = aFolder();
    open(folder).close();
    damage(path.join(folder, "ledger.db"));
    expect(() => open(folder)).toThrow(expect.objectContaining({ code: "store.damaged" }));
  });
});

const holder = (folder: string) =>
  spawn(process.execPath, [fileURLToPath(new URL("./ledgerHolder.ts", import.meta.url)), folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
