import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("nothing in this package needs Node", () => {
  const files = globSync(fileURLToPath(new URL("../src/*.ts", import.meta.url)));
  expect(files.length).toBeGreaterThan(20);
  const wrong = files.filter((file) => /from "node:|\bBuffer\b|\bprocess\.[a-z]/.test(readFileSync(file, "utf8")));
  expect(wrong).toEqual([]);
});
