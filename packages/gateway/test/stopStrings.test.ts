import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stopWatcher } from "../src/serving/stopStrings.ts";

/** What is shown of a text that comes in these pieces, and the stop string that ended it. */
function shown(stops: string[], pieces: string[]) {
  const watcher = stopWatcher(stops);
  let text = "";
  for (const piece of pieces) {
    const { show, stop } = watcher.push(piece);
    text += show;
    if (stop !== undefined) return { text, stop };
  }
  return { text: text + watcher.end(), stop: undefined };
}

describe("stopWatcher", () => {
  it.each([
    { behaviour: "shows text without a stop string", stops: ["x"], pieces: ["ab", "c"], text: "abc", stop: undefined },
    { behaviour: "ends in front of one", stops: ["END"], pieces: ["abEN", "Dcd"], text: "ab", stop: "END" },
    {
      behaviour: "shows a beginning that comes to nothing",
      stops: ["END"],
      pieces: ["abEN", "cd"],
      text: "abENcd",
      stop: undefined,
    },
    { behaviour: "shows a beginning at the very end", stops: ["END"], pieces: ["abEN"], text: "abEN", stop: undefined },
    { behaviour: "takes the one that begins first", stops: ["cd", "bc"], pieces: ["abcd"], text: "a", stop: "bc" },
    {
      behaviour: "finds one that overlaps its own beginning",
      stops: ["aab"],
      pieces: ["aa", "ab"],
      text: "a",
      stop: "aab",
    },
  ])("$behaviour", ({ stops, pieces, text, stop }) => {
    expect(shown(stops, pieces)).toEqual({ text, stop });
  });

  it("never shows a stop string, and everything in front of the first, however the text is cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(letters, { minLength: 1, maxLength: 3 }),
        fc.array(letters, { maxLength: 12 }),
        (stops, pieces) => {
          const whole = pieces.join("");
          const { text, stop } = shown(stops, pieces);
          expect(whole.startsWith(text)).toBe(true);
          expect(stops.some((candidate) => text.includes(candidate))).toBe(false);
          expect(stop === undefined).toBe(!stops.some((candidate) => whole.includes(candidate)));
          expect(stop === undefined ? text : whole.slice(text.length).startsWith(stop)).toBe(
            stop === undefined ? whole : true,
          );
        },
      ),
      { seed: 5 },
    );
  });
});
