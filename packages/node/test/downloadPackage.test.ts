import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { listen } from "@foldmark/service";
import { encodeManifest } from "@foldmark/workloads";
import express from "express";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModel } from "../src/engine/openModel.ts";
import { downloadPackage } from "../src/packages/downloadPackage.ts";
import { packagesRoute } from "../src/serving/packagesRoute.ts";
import { aFolder } from "./aFolder.ts";
import { tinyChatPackage } from "./tinyPackage.ts";

let url: string;
let source: string;
const ranges: string[] = [];
const breaking = new Map<string, (bytes: Buffer) => Buffer>();
const app = express();
const server = createServer(app);

beforeAll(async () => {
  source = (await tinyChatPackage()).folder;
  const model = await openModel(source);
  app.use((request, response, next) => {
    if (request.headers.range) ranges.push(request.headers.range);
    const name = path.basename(request.path);
    const change = breaking.get(name);
    if (!change) next();
    else response.send(change(readFileSync(path.join(source, name))));
  });
  app.use(packagesRoute([model]));
  url = `${(await listen(server, { host: "127.0.0.1", port: 0 })).url}/v1/packages/${model.packageHash}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe("downloadPackage", () => {
  it("brings a package from a node, whole and checked", async () => {
    const dir = path.join(aFolder(), "copy");
    const progress: number[] = [];
    const opened = await downloadPackage(url, { dir, onProgress: (done) => progress.push(done) });
    expect(opened.assetId).toBe((await openModel(source)).asset);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(readdirSync(path.dirname(dir))).toEqual(["copy"]);
  });

  it("goes on where a break left it", async () => {
    const dir = path.join(aFolder(), "copy");
    const tensors = path.join(`${dir}.part`, "tensors.bin");
    breaking.set("tensors.bin", (bytes) => bytes.subarray(0, 1_000));
    await expect(downloadPackage(url, { dir })).rejects.toMatchObject({
      code: "download.failed",
      message: expect.stringContaining("ended after 1000"),
    });
    breaking.clear();
    expect(statSync(tensors).size).toBe(1_000);
    ranges.length = 0;
    await downloadPackage(url, { dir });
    expect(ranges).toEqual(["bytes=1000-"]);
  });

  it("leaves nothing of a package whose bytes are not those of its manifest", async () => {
    const dir = path.join(aFolder(), "copy");
    breaking.set("tensors.bin", (bytes) => {
      bytes[17] = (bytes[17] ?? 0) ^ 1;
      return bytes;
    });
    await expect(downloadPackage(url, { dir })).rejects.toMatchObject({ code: "package.hash" });
    breaking.clear();
    expect(readdirSync(path.dirname(dir))).toEqual([]);
  });

  it("says which URL could not be fetched, and refuses an endless file", async () => {
    const dir = path.join(aFolder(), "copy");
    await expect(downloadPackage(`${url}0`, { dir })).rejects.toMatchObject({
      code: "download.failed",
      message: expect.stringContaining("404"),
    });
    breaking.set("report.json", (bytes) => Buffer.concat([bytes, Buffer.alloc(1 << 20)]));
    await expect(downloadPackage(url, { dir })).rejects.toMatchObject({
      code: "download.failed",
      message: expect.stringContaining("longer"),
    });
    breaking.clear();
  });

  it("leaves a folder alone that is no package", async () => {
    const dir = aFolder();
    writeFileSync(path.join(dir, "letters.txt"), "dear");
    await expect(downloadPackage(url, { dir })).rejects.toMatchObject({ code: "package.occupied" });
    expect(readdirSync(dir)).toEqual(["letters.txt"]);
  });

  it("refuses a manifest without an end, and one that promises more than fits", async () => {
    const dir = path.join(aFolder(), "copy");
    breaking.set("manifest.json", () => Buffer.alloc((8 << 20) + 1));
    await expect(downloadPackage(url, { dir })).rejects.toMatchObject({
      code: "download.failed",
      message: expect.stringContaining("at most 8388608"),
    });
    breaking.set("manifest.json", (bytes) => {
      const manifest = JSON.parse(bytes.toString());
      manifest.files["tensors.bin"].sizeBytes = 2 ** 40;
      return Buffer.from(encodeManifest(manifest));
    });
    await expect(downloadPackage(url, { dir })).rejects.toMatchObject({
      code: "download.failed",
      message: expect.stringContaining("are free"),
    });
    breaking.clear();
  });

  it("serves no file outside a package", async () => {
    writeFileSync(path.join(path.dirname(source), "secret"), "secret");
    for (const name of ["../secret", "..%2fsecret", ".hidden", ""])
      expect((await fetch(`${url}/${name}`)).ok).toBe(false);
  });
});
