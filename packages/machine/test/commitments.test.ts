import { createHash } from "node:crypto";
import { digest } from "@chainsafe/as-sha256";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  claimedRoot,
  jobId,
  leafHash,
  listRoot,
  modelId,
  nodeHash,
  openRange,
  programRoot,
  requestRoot,
  rootOfOpening,
  sha256,
  statementId,
  TensorHasher,
  tensorLeaves,
  tensorRoot,
  verifyOpening,
  weightsRoot,
} from "../src/commitments/index.ts";
import { firstProgram, hex, littleEndian, secondProgram } from "./support/knownPrograms.ts";

const leaves = (count: number) => Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i)));

describe("sha256", () => {
  it("is SHA-256, in Node and in WebAssembly", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const expected = createHash("sha256").update(bytes).digest("hex");
        expect(hex(sha256(bytes))).toBe(expected);
        expect(hex(digest(bytes))).toBe(expected);
      }),
    ));
});

describe("listRoot", () => {
  it.each([
    { count: 2, root: "a20bf9a7cc2dc8a08f5f415a71b19f6ac427bab54d24eec868b5d3103449953a" },
    { count: 3, root: "3b6cccd7e3e023ff393006f030315ee7ad9eb111b022b41fba7e5b7a3973f688" },
    { count: 5, root: "b855b42d6c30f5b087e05266783fbd6e394f7b926013ccaa67700a8b0c5a596f" },
    { count: 0, root: "00".repeat(32) },
  ])("of $count leaves is the known answer", ({ count, root }) => expect(hex(listRoot(leaves(count)))).toBe(root));

  it("of one node is that node", () => expect(listRoot(leaves(1))).toEqual(leaves(1)[0]));
});

describe("openRange", () => {
  const range = fc
    .integer({ min: 1, max: 40 })
    .chain((count) => fc.tuple(fc.constant(count), fc.nat(count - 1)))
    .chain(([count, first]) =>
      fc.tuple(fc.constant(count), fc.constant(first), fc.integer({ min: 1, max: count - first })),
    );

  it("leads to the root from every range", () =>
    fc.assert(
      fc.property(range, ([count, first, length]) => {
        expect(verifyOpening(listRoot(leaves(count)), openRange(leaves(count), first, length))).toBe(true);
      }),
    ));

  it("fails with another place, count, node, or number of siblings", () =>
    fc.assert(
      fc.property(range, ([count, first, length]) => {
        const root = listRoot(leaves(count));
        const opening = openRange(leaves(count), first, length);
        const { nodes, siblings } = opening;
        const flipped = nodes.map((node, i) => (i === 0 ? node.map((byte) => byte ^ 1) : node));
        expect(verifyOpening(root, { ...opening, nodes: flipped })).toBe(false);
        expect(verifyOpening(root, { ...opening, siblings: [...siblings, leafHash(Uint8Array.of(7))] })).toBe(false);
        if (siblings.length > 0) expect(verifyOpening(root, { ...opening, siblings: siblings.slice(1) })).toBe(false);
        expect(verifyOpening(root, { ...opening, first: count })).toBe(false);
        for (let other = 0; other + length <= count; other++)
          if (other !== first) expect(verifyOpening(root, { ...opening, first: other }), `at ${other}`).toBe(false);
      }),
    ));

  it("gives one sibling a level for one node, as the path of the specification", () => {
    const [a, b, c] = leaves(3);
    expect(openRange(leaves(3), 2).siblings).toEqual([
      nodeHash(a ?? sha256(Uint8Array.of()), b ?? sha256(Uint8Array.of())),
    ]);
    expect(rootOfOpening({ count: 3, first: 2, nodes: [c ?? sha256(Uint8Array.of())], siblings: [] })).toBeUndefined();
  });

  it("refuses a range outside the list", () => expect(() => openRange(leaves(3), 2, 2)).toThrow(RangeError));
});

describe("tensorRoot", () => {
  it("of i32 -3 .. 296 is the known answer", () => {
    const bytes = littleEndian(
      4,
      Array.from({ length: 300 }, (_, i) => i - 3),
    );
    expect(hex(tensorRoot(bytes))).toBe("695af9a0462c420e410fa6b3206d8e1cde508a11b1a4bccdc5e4d9df818c2c86");
  });

  it("of many leaves is the list root of the leaves", () => {
    for (const bytes of [1_023 * 1_024, 1_024 * 1_024, 1_025 * 1_024 + 1, 2_047 * 1_024 - 1]) {
      const tensor = new Uint8Array(bytes).map((_, i) => i * 31);
      expect(tensorRoot(tensor), `${bytes} bytes`).toEqual(listRoot(tensorLeaves(tensor)));
    }
  });

  it("is the same however the bytes arrive", () =>
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 1_500 }), { minLength: 1, maxLength: 5 }), (pieces) => {
        const hasher = new TensorHasher();
        for (const piece of pieces) hasher.update(piece);
        expect(hasher.root()).toEqual(tensorRoot(Uint8Array.from(pieces.flatMap((piece) => [...piece]))));
      }),
    ));
});

describe("ids", () => {
  it("of the first program are the known answers", () => {
    const program = firstProgram();
    const constant = littleEndian(1, [1, 1, 1, 1, -1, 2, -3, 4, 127, 127, 127, -128]);
    expect(hex(programRoot(program))).toBe("167ae459af962596fdb835b9349fc020817dce615a0a358934c09417605dc988");
    const weights = weightsRoot([constant]);
    expect(hex(weights)).toBe("b0c0b33b8d8300953a3d59946c8bd37192a4dd80a2ea7c42504515642268bad1");
    const request = requestRoot([littleEndian(1, [1, -2, 3, -128])]);
    expect(hex(request)).toBe("6d4c90b34015f7bf45e096b031cecc1bc7812531de8a7fc5504c729b5c72c219");
    const model = modelId(program, weights);
    expect(hex(model)).toBe("8bf5f7d50861c528a592cbedc3b48537e7ecfd3e3fabb85708d970fe19e5dd9f");
    const job = jobId(model, request);
    expect(hex(job)).toBe("53fb1b893e2e5c10c77d74af1302485d119f3fe8600056fb7864b2d16a3f9220");
    const claimed = claimedRoot([littleEndian(4, [-189, -789, 24_957])]);
    expect(hex(claimed)).toBe("68b7534d1d72b0bca2c6936e02d43940b20753ca866741ad2d330d24b6b51371");
    expect(hex(statementId(job, { T: 3, claimed }))).toBe(
      "8b4b2be889c483dde6211604712a35f9b245590e215afdf318d42628930c9054",
    );
  });

  it("of the second program are the known answers", () => {
    const program = secondProgram();
    expect(hex(programRoot(program))).toBe("d34c21df57c64f97ea54555cc3696c89f57af9b68172e18de0da8c1df5363967");
    const weights = weightsRoot([littleEndian(2, [300, -200, 100, -50, 125, 7])]);
    expect(hex(modelId(program, weights))).toBe("d1bf21d3f30f9db59ab5ed6a9323582fc981718a51d93b9b18f394f15dcfceed");
    const claimed = claimedRoot([littleEndian(4, [-5, 221, -349, 97, -305])]);
    expect(hex(claimed)).toBe("71cfdd4f1bfd13a8bcbd707445171b3d4c3475a09cca438b7e446571dbd45d01");
  });
});
