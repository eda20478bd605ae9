import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

/** Who may import whom, as docs/architecture.md has it. `machine/commitments` is the part of machine without an engine. */
const MAY_IMPORT: Record<string, string[]> = {
  protocol: [],
  machine: [],
  workloads: ["machine"],
  service: ["protocol"],
  sdk: ["protocol", "machine", "workloads"],
  node: ["protocol", "service", "machine", "workloads", "sdk"],
  gateway: ["protocol", "service", "machine/commitments", "workloads", "sdk"],
};

const imported = (file: string) =>
  [...readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"@foldmark\/([a-z]+(?:\/[a-z]+)?)/g)].map(
    (match) => match[1] ?? "",
  );

describe.each(Object.entries(MAY_IMPORT))("packages/%s", (name, allowed) => {
  it("imports only what the architecture allows it to", () => {
    const wrong = globSync(`packages/${name}/src/**/*.ts`).flatMap((file) =>
      imported(file)
        .filter((target) => !allowed.includes(target) && !allowed.includes(target.split("/")[0] ?? ""))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it("reaches no file of another package by path", () => {
    const wrong = globSync(`packages/${name}/src/**/*.ts`).filter((file) =>
      [...readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].some(
        (match) => !join(dirname(file), match[1] ?? "").startsWith(`packages/${name}/`),
      ),
    );
    expect(wrong).toEqual([]);
  });
});
