import { readFileSync } from "node:fs";
import { ERRORS } from "@foldmark/protocol";
import { describe, expect, it } from "vitest";
import { openApiDocument } from "../src/index.ts";
import { chatRequest } from "../src/schemas/chatRequest.ts";

const guide = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");

describe("docs/api.md", () => {
  it("names every path", () => {
    for (const path of Object.keys(openApiDocument().paths ?? {})) expect(guide, path).toContain(path);
  });

  it("names only codes that there are", () => {
    const errors = guide.slice(guide.indexOf("## Errors"), guide.indexOf("## What a call costs"));
    const codes = new Set(Object.entries(ERRORS).map(([code, row]) => ("openAiCode" in row ? row.openAiCode : code)));
    const named = [...errors.matchAll(/^\| [0-9, ]+ \| (.*?) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((code) => !codes.has(code as string))).toEqual([]);
  });
});

describe("the OpenAPI document", () => {
  it("has every parameter of the schema that requests are parsed with, and no name beside them", () => {
    const schemas: Record<string, unknown> = openApiDocument().components.schemas;
    const { properties, additionalProperties } = schemas.ChatCompletionRequest as {
      properties: object;
      additionalProperties: boolean;
    };
    expect(Object.keys(properties).sort()).toEqual(Object.keys(chatRequest.shape).sort());
    expect(additionalProperties).toBe(false);
  });

  it("refers only to what it holds", () => {
    const document = JSON.parse(JSON.stringify(openApiDocument()));
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name,
    );
    expect(references.length).toBeGreaterThan(10);
    for (const name of references) expect(document.components.schemas, name).toHaveProperty([name ?? ""]);
  });
});
