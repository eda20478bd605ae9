import { describe, expect, it } from "vitest";
import { spdxOf } from "../src/importing/licence.ts";

describe("spdxOf", () => {
  it.each([
    ["apache-2.0", "Apache-2.0"],
    ["Apache-2.0", "Apache-2.0"],
    ["mit", "MIT"],
    ["gpl-3.0", "GPL-3.0-only"],
    ["MIT OR Apache-2.0", "MIT OR Apache-2.0"],
    ["llama3.2", "LicenseRef-llama3.2"],
    ["some terms: mine", "LicenseRef-some-terms-mine"],
    ["other", undefined],
    ["", undefined],
  ])("reads %j as %j", (text, id) => {
    expect(spdxOf(text)).toBe(id);
  });
});
