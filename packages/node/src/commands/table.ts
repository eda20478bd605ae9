import Table from "cli-table3";

/** Rows under a head, for people: aligned by spaces, without lines or colours. */
export function table(head: string[], rows: string[][]): string {
  const plain = new Table({
    head,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
    chars: Object.fromEntries(BORDERS.map((name) => [name, ""])),
  });
  plain.push(...rows);
  return plain
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

const BORDERS = [
  ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"],
];
