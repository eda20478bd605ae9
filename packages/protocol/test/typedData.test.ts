import fc from "fast-check";
import { type Hex, hashTypedData, numberToHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerDigest,
  answerStruct,
  baseUnits,
  type Channel,
  channelIdOf,
  channelStruct,
  domainSeparator,
  foldmarkDomain,
  fromCompactSignature,
  receiptStruct,
  recoverAnswerSigner,
  recoverReceiptSigner,
  recoverSigner,
  recoverVoucherSigner,
  signAnswer,
  signReceiptMessage,
  signVoucher,
  toChannelId,
  toCompactSignature,
  toReceiptId,
  toStatementId,
  voucherDigest,
  voucherStruct,
} from "../src/index.ts";

const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
const domain = foldmarkDomain({ chainId: 31337, channels: "0x5FbDB2315678afecb367f032d93F642f64180aa3" });
const hash = (n: bigint | number): Hex => numberToHex(n, { size: 32 });
const bits = (n: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(n)) - 1n });
const address = bits(160).map((n) => numberToHex(n, { size: 20 }));
const anAnswer: Answer = {
  payee: account.address,
  statementId: toStatementId(hash(1)),
  channelId: toChannelId(hash(2)),
  maxClaimableAmount: baseUnits(500n),
  charged: baseUnits(200n),
  until: 1_764_104_523n,
};

describe("digests", () => {
  it("equal viem's own typed-data hashing for every struct and value", () => {
    fc.assert(
      fc.property(
        fc.record({ payer: address, signer: address, payee: address, model: bits(256), salt: bits(256).map(hash) }),
        bits(128),
        bits(128),
        bits(64),
        fc.integer({ min: 1, max: 2 ** 31 }),
        (channel: Channel, ceiling, charged, until, chainId) => {
          const own = foldmarkDomain({ chainId, channels: channel.payee });
          const id = channelIdOf(own, channel);
          expect(id).toBe(
            hashTypedData({ domain: own, types: channelStruct.types, primaryType: "Channel", message: channel }),
          );
          const voucher = { channelId: id, maxClaimableAmount: baseUnits(ceiling) };
          expect(voucherDigest(own, voucher)).toBe(
            hashTypedData({ domain: own, types: voucherStruct.types, primaryType: "Voucher", message: voucher }),
          );
          const answer = { ...anAnswer, ...voucher, charged: baseUnits(charged), until };
          expect(answerDigest(own, answer)).toBe(
            hashTypedData({ domain: own, types: answerStruct.types, primaryType: "Answer", message: answer }),
          );
          const message = { gateway: channel.payer, contentHash: toReceiptId(channel.salt) };
          expect(receiptStruct.digest(own, message)).toBe(
            hashTypedData({ domain: own, types: receiptStruct.types, primaryType: "Receipt", message }),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it("have the type strings of the contracts", () => {
    const typeOf = ({
      types,
      primaryType,
    }: {
      types: Record<string, readonly { name: string; type: string }[]>;
      primaryType: string;
    }) => `${primaryType}(${types[primaryType]?.map((f) => `${f.type} ${f.name}`).join(",")})`;
    expect([channelStruct, voucherStruct, answerStruct, receiptStruct].map(typeOf)).toEqual([
      "Channel(address payer,address signer,address payee,uint256 model,bytes32 salt)",
      "Voucher(bytes32 channelId,uint128 maxClaimableAmount)",
      "Answer(address payee,bytes32 statementId,bytes32 channelId,uint128 maxClaimableAmount,uint128 charged,uint64 until)",
      "Receipt(address gateway,bytes32 contentHash)",
    ]);
  });

  it("refuse a number that does not fit its field", () => {
    expect(() => answerDigest(domain, { ...anAnswer, until: 1n << 64n })).toThrow("18446744073709551616");
  });

  it("differ by chain and by contract", () => {
    const other = foldmarkDomain({ chainId: 1, channels: domain.verifyingContract });
    const elsewhere = foldmarkDomain({ chainId: 31337, channels: account.address });
    expect(new Set([domain, other, elsewhere].map(domainSeparator)).size).toBe(3);
  });
});

describe("signatures", () => {
  it("recover to the key that signed, for all three signed types", async () => {
    const voucher = { channelId: anAnswer.channelId, maxClaimableAmount: baseUnits(9n) };
    const receipt = { gateway: account.address, contentHash: toReceiptId(hash(7)) };
    expect(
      await recoverVoucherSigner(domain, { voucher, signature: await signVoucher(account, domain, voucher) }),
    ).toBe(account.address);
    expect(
      await recoverAnswerSigner(domain, { answer: anAnswer, signature: await signAnswer(account, domain, anAnswer) }),
    ).toBe(account.address);
    expect(await recoverReceiptSigner(domain, receipt, await signReceiptMessage(account, domain, receipt))).toBe(
      account.address,
    );
  });

  it("recover to somebody else when one field is another", async () => {
    const signature = await signAnswer(account, domain, anAnswer);
    for (const changed of [
      { payee: domain.verifyingContract },
      { statementId: toStatementId(hash(3)) },
      { channelId: toChannelId(hash(3)) },
      { maxClaimableAmount: baseUnits(501n) },
      { charged: baseUnits(201n) },
      { until: anAnswer.until + 1n },
    ])
      expect(
        await recoverAnswerSigner(domain, { answer: { ...anAnswer, ...changed }, signature }),
        Object.keys(changed)[0],
      ).not.toBe(account.address);
  });

  it("survive the compact form and back", async () => {
    for (let i = 0; i < 8; i++) {
      const signer = privateKeyToAccount(generatePrivateKey());
      const signature = await signAnswer(signer, domain, anAnswer);
      const compact = toCompactSignature(signature);
      expect(compact.r.length + compact.vs.length).toBe(132);
      expect(fromCompactSignature(compact)).toBe(signature);
    }
  });

  it("are refused in their malleable twin, with another length, and with another v", async () => {
    const signature = await signAnswer(account, domain, anAnswer);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = order - BigInt(`0x${signature.slice(66, 130)}`);
    const twin = `0x${signature.slice(2, 66)}${hash(s).slice(2)}${signature.endsWith("1b") ? "1c" : "1b"}` as const;
    const digest = answerDigest(domain, anAnswer);
    expect(await recoverSigner(digest, signature)).toBe(account.address);
    for (const bad of [
      twin,
      signature.slice(0, -2) as Hex,
      `${signature.slice(0, -2)}00` as Hex,
      "0x" as Hex,
      `${signature.slice(0, -2)}1d` as Hex,
      `0x${"00".repeat(64)}1b` as Hex,
    ]) {
      await expect(recoverSigner(digest, bad), bad).rejects.toMatchObject({ code: "signature.malformed" });
      expect(() => toCompactSignature(bad), bad).toThrow(expect.objectContaining({ code: "signature.malformed" }));
    }
  });
});
