import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WorkloadError } from "../src/errors.ts";
import { canonicalJson } from "../src/packages/canonicalJson.ts";
import type { Families } from "../src/packages/family.ts";
import type { Manifest } from "../src/packages/manifest.ts";
import { openPackage } from "../src/packages/open.ts";
import { PackageWriter, writePackage } from "../src/packages/write.ts";
import { KNOWN_MODEL_ID, KNOWN_WEIGHTS, smallFamily, smallModel } from "./smallModel.ts";
import { smallByteTokenizer } from "./smallTokenizers.ts";

const families: Families = new Map([["small", smallFamily]]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldmark-packages-"));
});
afterAll(() => rm(folder, { recursive: true }));
let packages = 0;
const freshDir = () => join(folder, `package-${packages++}`);

type Parts = Parameters<typeof writePackage>[1];
const simulation = (over: Partial<Parts> = {}): Parts => ({
  name: "known answer",
  licence: "Apache-2.0",
  family: { name: "small", configuration: { kind: "simulation", maxT: 100 } },
  built: smallModel("simulation"),
  constants: () => KNOWN_WEIGHTS,
  report: { note: "none" },
  ...over,
});
const chat = (): Parts =>
  simulation({
    family: { name: "small", configuration: { kind: "chat", maxT: 100 } },
    built: smallModel("chat"),
    chat: { tokenizer: smallByteTokenizer(), template: "{{ messages[0].content }}" },
  });

async function written(parts: Parts): Promise<string> {
  const dir = freshDir();
  await writePackage(dir, parts);
  return dir;
}

async function refusalOf(work: Promise<unknown>): Promise<WorkloadError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WorkloadError) return error;
  throw new Error(`no refusal, but ${String(error)}`);
}

/** Rewrites the manifest, in canonical form unless it is given as text. */
async function tamper(dir: string, change: (manifest: Manifest) => unknown): Promise<void> {
  const path = join(dir, "manifest.json");
  const changed = change(JSON.parse(await readFile(path, "utf8")));
  await writeFile(path, typeof changed === "string" ? changed : canonicalJson(changed));
}

const sha256 = (bytes: Uint8Array) => `0x${createHash("sha256").update(bytes).digest("hex")}`;

describe("writePackage and openPackage", () => {
  it("give back program, constants, template and tokenizer", async () => {
    const dir = await written(chat());
    const model = await openPackage(dir, { families });
    expect(model.program).toEqual(chat().built.program);
    expect(model.constants(0)).toEqual(KNOWN_WEIGHTS);
    expect(model.template).toBe("{{ messages[0].content }}");
    expect(model.tokenizer().encode("<|im_end|>", { special: true })).toEqual([2]);
    expect(model.tokenizer()).toBe(model.tokenizer());
    expect(model.report).toEqual({ note: "none" });
    expect(model.isCustom).toBe(false);
    expect(model.manifest).toMatchObject({ kind: "chat", stopIds: [2, 0], maxT: 100, licence: "Apache-2.0" });
    expect(() => model.constants(1)).toThrow(expect.objectContaining({ code: "package.constant" }));
  });

  it("derive the ids from the content", async () => {
    const dir = await written(simulation());
    const model = await openPackage(dir, { families });
    const packageHash = sha256(await readFile(join(dir, "manifest.json")));
    expect(model.modelId).toBe(KNOWN_MODEL_ID);
    expect(model.packageHash).toBe(packageHash);
    expect(model.assetId).toBe(sha256(Buffer.from(`05${KNOWN_MODEL_ID.slice(2)}${packageHash.slice(2)}`, "hex")));
    const sizes = await Promise.all(
      (await readdir(dir)).filter((name) => name !== "verified.json").map((name) => stat(join(dir, name))),
    );
    expect(model.sizeBytes).toBe(sizes.reduce((sum, { size }) => sum + size, 0));
  });

  it("write the same bytes for the same parts", async () => {
    const [a, b] = [await written(chat()), await written(chat())];
    for (const name of await readdir(a)) {
      expect(await readFile(join(a, name)), name).toEqual(await readFile(join(b, name)));
    }
  });

  it("know a program that no family explains as custom", async () => {
    const unknown = await written(simulation({ family: { name: "other", configuration: {} } }));
    const none = await written(simulation({ family: null }));
    for (const dir of [unknown, none]) expect((await openPackage(dir, { families })).isCustom, dir).toBe(true);
  });

  it("offer no tokenizer for a simulation", async () => {
    const model = await openPackage(await written(simulation()), { families });
    for (const use of [() => model.tokenizer(), () => model.template]) {
      expect(use).toThrow(expect.objectContaining({ code: "package.no_chat" }));
    }
  });
});

describe("writePackage", () => {
  it("leaves nothing behind when a constant fails in the middle", async () => {
    const dir = freshDir();
    const before = await readdir(folder);
    const broken = simulation({ constants: () => Promise.reject(new Error("disk gone")) });
    await expect(writePackage(dir, broken)).rejects.toThrow("disk gone");
    const short = simulation({ constants: () => KNOWN_WEIGHTS.subarray(1) });
    expect(await refusalOf(writePackage(dir, short))).toMatchObject({
      code: "package.constant",
      details: { index: 0, bytes: 11, declared: 12 },
    });
    expect(await readdir(folder)).toEqual(before);
  });

  it("keeps the package that was there when a new one fails, and replaces it when it succeeds", async () => {
    const dir = await written(simulation());
    const before = await readFile(join(dir, "manifest.json"));
    await refusalOf(writePackage(dir, simulation({ constants: () => new Uint8Array(3) })));
    expect(await readFile(join(dir, "manifest.json"))).toEqual(before);
    await writePackage(dir, simulation({ name: "another" }));
    expect((await openPackage(dir, { families })).manifest.name).toBe("another");
    expect((await readdir(folder)).filter((name) => name.includes(".part"))).toEqual([]);
  });

  it("does not replace a folder of other things", async () => {
    const dir = freshDir();
    await mkdir(dir);
    await writeFile(join(dir, "thesis.txt"), "years of work");
    expect((await refusalOf(writePackage(dir, simulation()))).code).toBe("package.occupied");
    expect(await readdir(dir)).toEqual(["thesis.txt"]);
  });

  it("writes nothing that openPackage would refuse", async () => {
    const dir = freshDir();
    expect((await refusalOf(writePackage(dir, simulation({ licence: "" })))).details).toMatchObject({
      path: "licence",
    });
    expect((await refusalOf(writePackage(dir, { ...simulation(), built: smallModel("chat") }))).code).toBe(
      "package.manifest",
    );
    await expect(stat(dir)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("takes constants before the program is known, and removes them when it never is", async () => {
    const dir = freshDir();
    {
      await using writer = await PackageWriter.open(dir);
      await writer.constant(KNOWN_WEIGHTS);
    }
    expect((await readdir(folder)).filter((name) => name.includes(".part"))).toEqual([]);
    {
      await using writer = await PackageWriter.open(dir);
      await writer.constant(KNOWN_WEIGHTS);
      const { constants: _, ...parts } = simulation();
      expect(writer.constants(parts.built.program)(0)).toEqual(KNOWN_WEIGHTS);
      await writer.finish(parts);
    }
    expect((await openPackage(dir, { families })).modelId).toBe(KNOWN_MODEL_ID);
  });

  it("refuses another number of constants than the program has", async () => {
    await using writer = await PackageWriter.open(freshDir());
    const { constants: _, ...parts } = simulation();
    expect(await refusalOf(writer.finish(parts))).toMatchObject({
      code: "package.constant",
      details: { written: 0, declared: 1 },
    });
  });
});

describe("openPackage", () => {
  it.each<{ behaviour: string; damage: (dir: string) => Promise<unknown>; code: string; says: RegExp }>([
    {
      behaviour: "a folder without a manifest",
      damage: (dir) => rm(join(dir, "manifest.json")),
      code: "package.missing",
      says: /manifest\.json/,
    },
    {
      behaviour: "a missing file",
      damage: (dir) => rm(join(dir, "tensors.bin")),
      code: "package.missing",
      says: /tensors\.bin/,
    },
    {
      behaviour: "a file cut short",
      damage: (dir) => truncate(join(dir, "tensors.bin"), 11),
      code: "package.size",
      says: /tensors\.bin.*11.*12/,
    },
    {
      behaviour: "a changed constant",
      damage: (dir) => writeFile(join(dir, "tensors.bin"), KNOWN_WEIGHTS.toReversed()),
      code: "package.hash",
      says: /tensors\.bin.*constant 0 is 0x[0-9a-f]{64}, expected 0x[0-9a-f]{64}/,
    },
    {
      behaviour: "a changed template",
      damage: (dir) => writeFile(join(dir, "template.jinja"), "{{ messages[1].content }}"),
      code: "package.hash",
      says: /template\.jinja/,
    },
    {
      behaviour: "a manifest with an unknown key",
      damage: (dir) => tamper(dir, (manifest) => ({ ...manifest, extra: 1 })),
      code: "package.manifest",
      says: /extra/,
    },
    {
      behaviour: "a manifest that is not canonical",
      damage: (dir) => tamper(dir, (manifest) => JSON.stringify(manifest, null, 2)),
      code: "package.manifest",
      says: /canonical/,
    },
    {
      behaviour: "a manifest that is no JSON",
      damage: (dir) => tamper(dir, () => "{"),
      code: "package.manifest",
      says: /JSON/,
    },
    {
      behaviour: "a wrong modelId",
      damage: (dir) => tamper(dir, (manifest) => ({ ...manifest, modelId: manifest.weightsRoot })),
      code: "package.root",
      says: /modelId is 0x.*expected 0x/,
    },
    {
      behaviour: "a wrong programRoot",
      damage: (dir) => tamper(dir, (manifest) => ({ ...manifest, programRoot: manifest.weightsRoot })),
      code: "package.root",
      says: /programRoot/,
    },
    {
      behaviour: "a wrong weightsRoot",
      damage: (dir) => tamper(dir, (manifest) => ({ ...manifest, weightsRoot: manifest.programRoot })),
      code: "package.root",
      says: /tensorRoots/,
    },
    {
      behaviour: "another maxT",
      damage: (dir) => tamper(dir, (manifest) => ({ ...manifest, maxT: 99 })),
      code: "package.root",
      says: /maxT is 100, expected 99/,
    },
    {
      behaviour: "a configuration that builds another program",
      damage: (dir) =>
        tamper(dir, (manifest) => ({
          ...manifest,
          family: { name: "small", configuration: { kind: "chat", maxT: 101 } },
        })),
      code: "package.program_mismatch",
      says: /small builds.*is 0x.*expected 0x/,
    },
    {
      behaviour: "other stop tokens than the family's",
      damage: (dir) => tamper(dir, (manifest) => ({ ...manifest, stopIds: [7] })),
      code: "package.program_mismatch",
      says: /stopIds is \[7\], expected \[2,0\]/,
    },
    {
      behaviour: "an answer from a fold that does not exist",
      damage: (dir) => tamper(dir, (manifest) => ({ ...manifest, answers: [{ claimed: 0, stage: 7, fold: 0 }] })),
      code: "package.manifest",
      says: /answers\.0\.stage/,
    },
    {
      behaviour: "a chat without a tokenizer",
      damage: (dir) =>
        tamper(dir, ({ files: { "tokenizer.json": _, ...files }, ...manifest }) => ({ ...manifest, files })),
      code: "package.manifest",
      says: /tokenizer\.json/,
    },
    {
      behaviour: "a file outside the package",
      damage: (dir) =>
        tamper(dir, (manifest) => ({
          ...manifest,
          files: { ...manifest.files, "../x": { sizeBytes: 1, sha256: manifest.modelId } },
        })),
      code: "package.manifest",
      says: /files/,
    },
  ])("refuses $behaviour", async ({ damage, code, says }) => {
    const dir = await written(chat());
    await damage(dir);
    for (const verify of ["roots", "once"] as const) {
      const error = await refusalOf(openPackage(dir, { families, verify }));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(says);
    }
  });

  it("refuses a package in which any byte of any file was changed", async () => {
    const dir = await written(chat());
    const contents = new Map<string, Buffer>();
    for (const name of await readdir(dir)) contents.set(name, await readFile(join(dir, name)));
    const place = fc.constantFrom(...contents.keys()).chain((name) =>
      fc.record({
        name: fc.constant(name),
        at: fc.nat((contents.get(name)?.length ?? 1) - 1),
        flip: fc.integer({ min: 1, max: 255 }),
      }),
    );
    const { packageHash } = await openPackage(dir, { families });
    await fc.assert(
      fc.asyncProperty(place, async ({ name, at, flip }) => {
        const content = contents.get(name) ?? Buffer.alloc(0);
        const changed = Buffer.from(content);
        changed[at] = (changed[at] ?? 0) ^ flip;
        await writeFile(join(dir, name), changed);
        const opened = openPackage(dir, { families, verify: "roots" });
        if (name === "manifest.json") {
          // what a manifest says of itself (name, licence) may change: it is another package then
          const outcome = await opened.then(
            (model) => model.packageHash,
            (error: unknown) => error,
          );
          if (typeof outcome === "string") expect(outcome).not.toBe(packageHash);
          else expect(outcome).toBeInstanceOf(WorkloadError);
        } else {
          expect(await refusalOf(opened)).toMatchObject({ code: "package.hash", details: { file: join(dir, name) } });
        }
        await writeFile(join(dir, name), content);
      }),
      { numRuns: 150 },
    );
  });

  it("refuses a changed manifest that hides a changed program", async () => {
    const [dir, other] = [await written(chat()), await written({ ...chat(), built: smallModel("chat", 99) })];
    for (const name of ["program.bin", "manifest.json"]) await copyFile(join(other, name), join(dir, name));
    expect((await refusalOf(openPackage(dir, { families }))).code).toBe("package.program_mismatch");
  });

  it("refuses another asset than the one that was asked for", async () => {
    const model = await openPackage(await written(chat()), { families });
    const other = await openPackage(await written(simulation()), { families });
    expect((await openPackage(model.dir, { families, expectedAssetId: model.assetId })).assetId).toBe(model.assetId);
    expect(await refusalOf(openPackage(model.dir, { families, expectedAssetId: other.assetId }))).toMatchObject({
      code: "package.asset_mismatch",
      details: { expected: other.assetId, got: model.assetId },
    });
  });

  it("hashes the constants once, and again when the file was changed", async () => {
    const dir = await written(simulation());
    await openPackage(dir, { families });
    const path = join(dir, "tensors.bin");
    await writeFile(path, KNOWN_WEIGHTS.toReversed());
    expect((await refusalOf(openPackage(dir, { families }))).code).toBe("package.hash");
    await writeFile(path, KNOWN_WEIGHTS);
    await openPackage(dir, { families });
  });

  it("believes no stamp when asked for roots, and looks at sizes only when asked for them", async () => {
    const dir = await written(simulation());
    const path = join(dir, "tensors.bin");
    await writeFile(path, KNOWN_WEIGHTS.toReversed());
    const { packageHash } = await openPackage(dir, { families, verify: "sizes" });
    const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
    const forged = canonicalJson({ packageHash, tensors: [size, mtimeNs, ctimeNs, ino].join(" ") });
    await writeFile(join(dir, "verified.json"), forged);
    await openPackage(dir, { families, verify: "once" });
    expect((await refusalOf(openPackage(dir, { families, verify: "roots" }))).code).toBe("package.hash");
  });

  it("does not mind a damaged stamp or a changed time", async () => {
    const dir = await written(simulation());
    await writeFile(join(dir, "verified.json"), "{");
    await openPackage(dir, { families });
    await utimes(join(dir, "tensors.bin"), 1, 1);
    await openPackage(dir, { families });
  });
});

describe("canonicalJson", () => {
  it("sorts keys, and is read back as it was", () => {
    expect(canonicalJson({ b: 1, a: [true, null, "é\n"], "": 1e21, A: -0, gone: undefined })).toBe(
      '{"":1e+21,"A":0,"a":[true,null,"é\\n"],"b":1}',
    );
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("refuses what JSON cannot hold", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, undefined]) {
      expect(() => canonicalJson({ value: [value] })).toThrow(TypeError);
    }
  });
});
