/** What SentencePiece writes for a space. */
export const SPACE = "\u2581";

/**
 * The merges of a SentencePiece vocabulary, which lists scores instead: every way to cut a token into two others, best
 * score first, then the longer left part, then the longer right part (lengths in code points).
 * @see `generate_merges` in convert_slow_tokenizer.py of huggingface/transformers
 */
export function deriveMerges(pieces: readonly { text: string; score: number }[]): [string, string][] {
  const known = new Set(pieces.map(({ text }) => text));
  const merges: { pair: [string, string]; score: number; left: number; right: number }[] = [];
  for (const { text, score } of pieces) {
    const letters = Array.from(text);
    for (let cut = 1; cut < letters.length; cut++) {
      const left = letters.slice(0, cut).join("");
      const right = letters.slice(cut).join("");
      if (!known.has(left) || !known.has(right)) continue;
      merges.push({ pair: [left, right], score, left: cut, right: letters.length - cut });
    }
  }
  return merges.toSorted((a, b) => b.score - a.score || b.left - a.left || b.right - a.right).map(({ pair }) => pair);
}
