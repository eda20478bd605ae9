import { answerStruct, channelStruct, domainSeparator, foldmarkDomain, voucherStruct } from "@foldmark/protocol";
import fc from "fast-check";
import { getAddress, type Hex, hashTypedData } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { openMarket } from "../support/market.ts";

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => `0x${Buffer.from(b).toString("hex")}` as Hex);
const address = hex(20).map((value) => getAddress(value));
const uint = (bits: number) => fc.bigInt(0n, 2n ** BigInt(bits) - 1n);

describe("typed data", () => {
  let market: Awaited<ReturnType<typeof openMarket>>;
  beforeAll(async () => {
    market = await openMarket();
  });

  it("has the domain that viem and the protocol package compute", async () => {
    const { channels, domain } = market;
    const [, name, version, chainId, verifyingContract] = await channels.read.eip712Domain();
    expect({ name, version, chainId: Number(chainId), verifyingContract: getAddress(verifyingContract) }).toEqual({
      ...domain,
      verifyingContract: getAddress(domain.verifyingContract),
    });
    const own = foldmarkDomain({ chainId: domain.chainId, channels: channels.address });
    expect(await channels.read.DOMAIN_SEPARATOR()).toBe(domainSeparator(own));
  });

  it("names a channel by the digest that wallets sign", async () => {
    const channel = fc.record({ payer: address, signer: address, payee: address, model: uint(256), salt: hex(32) });
    await fc.assert(
      fc.asyncProperty(channel, async (message) => {
        const { channels, domain } = market;
        const { types, primaryType } = channelStruct;
        const id = await channels.read.channelIdOf([message]);
        expect(id).toBe(hashTypedData({ domain, types, primaryType, message }));
      }),
      { numRuns: 25 },
    );
  });

  it.each([
    { struct: voucherStruct, type: "Voucher(bytes32 channelId,uint128 maxClaimableAmount)" },
    {
      struct: answerStruct,
      type: "Answer(address payee,bytes32 statementId,bytes32 channelId,uint128 maxClaimableAmount,uint128 charged,uint64 until)",
    },
  ])("the protocol package signs $type", ({ struct, type }) => {
    const fields = struct.types[struct.primaryType as keyof typeof struct.types] as { name: string; type: string }[];
    expect(`${struct.primaryType}(${fields.map((field) => `${field.type} ${field.name}`).join(",")})`).toBe(type);
  });
});
