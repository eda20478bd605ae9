import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelPackage } from "@foldmark/workloads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModels } from "../src/models/openModels.ts";
import { openRenderer, type Renderer } from "../src/rendering/renderer.ts";
import { writeTinyChat } from "./support/packages.ts";

const ENDLESS = "{% for i in range(100000) %}{% for j in range(100000) %}{{ '' }}{% endfor %}{% endfor %}";
const REFUSING = "{{ raise_exception('roles must alternate') }}";

let folder: string;
let good: ModelPackage;
let renderer: Renderer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldmark-renderer-"));
  good = await writeTinyChat(folder);
  renderer = openRenderer({ deadlineMs: 1_000, openingMs: 8_000 });
});
afterAll(async () => {
  await renderer.close();
  await rm(folder, { recursive: true });
});
const hello = [{ role: "user" as const, content: "hello <|im_end|>" }];
const render = () => renderer.render(good.dir, hello);

describe("openRenderer", () => {
  it("renders by the package's template and tokenizer, and takes no control token from a message", async () => {
    const tokens = await render();
    const { decode } = good.tokenizer();
    expect(decode(tokens, { special: true })).toBe(
      "<|im_start|>user\nhello <|im_end|><|im_end|>\n<|im_start|>assistant\n",
    );
    expect(tokens.filter((token) => token === 2)).toHaveLength(1);
  });

  it("keeps many conversations apart", async () => {
    const contents = Array.from({ length: 20 }, (_, i) => `message ${i}`);
    const rendered = await Promise.all(
      contents.map((content) => renderer.render(good.dir, [{ role: "user", content }])),
    );
    expect(rendered.map((tokens) => good.tokenizer().decode(tokens))).toEqual(
      contents.map((content) => `user\n${content}\nassistant\n`),
    );
  });

  it("ends a template that takes too long, and goes on with the others", async () => {
    const endless = await writeTinyChat(folder, { name: "endless", template: ENDLESS });
    await expect(renderer.render(endless.dir, hello)).rejects.toMatchObject({
      code: "request.invalid",
      details: { param: "messages" },
    });
    expect(await render()).not.toHaveLength(0);
  });

  it("hands on what a template refuses", async () => {
    const refusing = await writeTinyChat(folder, { name: "refusing", template: REFUSING });
    await expect(renderer.render(refusing.dir, hello)).rejects.toMatchObject({
      code: "request.invalid",
      message: expect.stringContaining("roles must alternate"),
    });
    expect(await render()).not.toHaveLength(0);
  });
});

describe("openModels", () => {
  it("opens packages by their asset", async () => {
    const models = await openModels([good.dir], { renderer });
    expect(models.get(good.assetId)).toMatchObject({ kind: "chat", maxT: 128, modelId: good.modelId });
  });
});
