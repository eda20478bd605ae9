import { describe, expect, it } from "vitest";
import { assetIdOf, jobIdOf, modelIdOf, parseHeader, preimageSchema, statementIdOf, toHash } from "../src/index.ts";

// known answers of the machine's specification: one request tensor, one claimed, one constant, two stages, maxT 100
const preimage = {
  header: "0x0100010001000100020064000000",
  programRoot: toHash("0x167ae459af962596fdb835b9349fc020817dce615a0a358934c09417605dc988"),
  weightsRoot: toHash("0xb0c0b33b8d8300953a3d59946c8bd37192a4dd80a2ea7c42504515642268bad1"),
  requestRoot: toHash("0x6d4c90b34015f7bf45e096b031cecc1bc7812531de8a7fc5504c729b5c72c219"),
  T: 3,
  claimedRoot: toHash("0x68b7534d1d72b0bca2c6936e02d43940b20753ca866741ad2d330d24b6b51371"),
} as const;

describe("ids of a statement", () => {
  it("are the specification's known answers", () => {
    const modelId = modelIdOf(preimage);
    expect(modelId).toBe("0x8bf5f7d50861c528a592cbedc3b48537e7ecfd3e3fabb85708d970fe19e5dd9f");
    expect(jobIdOf(modelId, preimage.requestRoot)).toBe(
      "0x53fb1b893e2e5c10c77d74af1302485d119f3fe8600056fb7864b2d16a3f9220",
    );
    expect(statementIdOf(preimage)).toBe("0x8b4b2be889c483dde6211604712a35f9b245590e215afdf318d42628930c9054");
  });

  it("change with every part of the preimage", () => {
    const other = toHash(`0x${"ab".repeat(32)}`);
    const ids = [
      preimage,
      { ...preimage, header: "0x0100010001000100020065000000" as const },
      { ...preimage, programRoot: other },
      { ...preimage, weightsRoot: other },
      { ...preimage, requestRoot: other },
      { ...preimage, claimedRoot: other },
      { ...preimage, T: 4 },
      { ...preimage, T: 0x03000000 },
    ].map(statementIdOf);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("bind an asset to its manifest", () => {
    const modelId = modelIdOf(preimage);
    expect(assetIdOf(modelId, preimage.claimedRoot)).not.toBe(assetIdOf(modelId, preimage.requestRoot));
  });

  it.each([-1, 1.5, 2 ** 32])("refuse T = %s", (T) => {
    expect(() => statementIdOf({ ...preimage, T })).toThrow(expect.objectContaining({ code: "statement.malformed" }));
  });
});

it("parseHeader reads what the program's first bytes say", () => {
  expect(parseHeader(preimage.header)).toEqual({
    version: 1,
    requestTensors: 1,
    claimedTensors: 1,
    constants: 1,
    stages: 2,
    maxT: 100,
  });
  expect(() => parseHeader("0x0100")).toThrow(expect.objectContaining({ code: "statement.malformed" }));
});

it("preimageSchema refuses a header of another length and unknown fields", () => {
  expect(preimageSchema.safeParse(preimage).success).toBe(true);
  expect(preimageSchema.safeParse({ ...preimage, header: "0x01" }).success).toBe(false);
  expect(preimageSchema.safeParse({ ...preimage, extra: 1 }).success).toBe(false);
});
