/** SPDX ids of licences that models come with. */
const SPDX = [
  ...["Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "MPL-2.0", "Unlicense", "CC0-1.0", "WTFPL", "ISC"],
  ...["CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0", "CC-BY-ND-4.0", "CC-BY-3.0"],
  ...["CC-BY-SA-3.0", "AFL-3.0", "BSL-1.0", "ECL-2.0", "EPL-2.0", "OSL-3.0", "ODC-By-1.0"],
];
/** Spellings of model files that are no SPDX id in any case. */
const OTHER_NAMES: Record<string, string> = {
  "gpl-2.0": "GPL-2.0-only",
  "gpl-3.0": "GPL-3.0-only",
  "agpl-3.0": "AGPL-3.0-only",
  "lgpl-2.1": "LGPL-2.1-only",
  "lgpl-3.0": "LGPL-3.0-only",
};
const NAMES = new Map<string, string>([
  ...SPDX.map((id) => [id.toLowerCase(), id] as const),
  ...Object.entries(OTHER_NAMES),
]);
/** What model files say when they say nothing. */
const NO_NAMES = ["", "other", "unknown", "none"];

/**
 * A licence as a model file or a person writes it ("apache-2.0"), as an SPDX expression. One that SPDX has no id for gets
 * `LicenseRef-`, as SPDX has it. Undefined for a name that names nothing.
 */
export function spdxOf(text: string): string | undefined {
  const name = text.trim();
  if (NO_NAMES.includes(name.toLowerCase())) return undefined;
  const known = NAMES.get(name.toLowerCase());
  if (known) return known;
  // an expression, or an id that is spelled as SPDX spells them: with a capital letter
  if (/[A-Z]/.test(name) && /^[A-Za-z0-9.+ ()-]+$/.test(name)) return name;
  return `LicenseRef-${name.replace(/[^A-Za-z0-9.-]+/g, "-")}`;
}
