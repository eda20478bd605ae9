/** A stretch of text, or a token that was found in it. */
export type Section = { text: string } | { id: number };

type Node = { next: Map<string, Node>; id?: number };

/** Finds tokens in text, leftmost first and the longest of those that start at one place. */
export function createSplitter(tokens: readonly { text: string; id: number }[]): (text: string) => Section[] {
  const root: Node = { next: new Map() };
  for (const { text, id } of tokens) {
    let node = root;
    for (const unit of text.split("")) {
      const child: Node = node.next.get(unit) ?? { next: new Map() };
      node.next.set(unit, child);
      node = child;
    }
    node.id = id;
  }

  return (text) => {
    const sections: Section[] = [];
    let plainFrom = 0;
    let at = 0;
    while (at < text.length) {
      const found = longestAt(root, text, at);
      if (!found) {
        at++;
        continue;
      }
      if (at > plainFrom) sections.push({ text: text.slice(plainFrom, at) });
      sections.push({ id: found.id });
      at = plainFrom = found.end;
    }
    if (text.length > plainFrom) sections.push({ text: text.slice(plainFrom) });
    return sections;
  };
}

function longestAt(root: Node, text: string, from: number): { id: number; end: number } | undefined {
  let found: { id: number; end: number } | undefined;
  let node: Node | undefined = root;
  for (let at = from; at < text.length; at++) {
    node = node.next.get(text.charAt(at));
    if (!node) break;
    if (node.id !== undefined) found = { id: node.id, end: at + 1 };
  }
  return found;
}
