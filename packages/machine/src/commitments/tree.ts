import { nodeHash } from "../hash.ts";

/** Bytes of a hash. */
export const HASH_BYTES = 32;

/**
 * Root of a list of nodes: neighbours are paired level by level, an unpaired last node moves up unchanged, nothing is
 * padded. The root of no node is 32 zero bytes, in which nothing can be opened.
 */
export function listRoot(nodes: readonly Uint8Array[]): Uint8Array {
  let level = nodes;
  while (level.length > 1) level = parents(level);
  return level[0] ?? new Uint8Array(HASH_BYTES);
}

/** The next level up. */
export function parents(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i];
    const right = level[i + 1];
    if (left) above.push(right ? nodeHash(left, right) : left);
  }
  return above;
}

/** Adjacent nodes `first .. first + nodes.length - 1` of a list of `count`, with the siblings that lead to its root. */
export type Opening = { count: number; first: number; nodes: readonly Uint8Array[]; siblings: readonly Uint8Array[] };

/**
 * Opens adjacent nodes of a list. Bottom up, each level has one sibling at the left if the range starts at an odd index,
 * then one at the right if it ends at an even index that is not the last. One node is a range of one.
 */
export function openRange(list: readonly Uint8Array[], first: number, length = 1): Opening {
  if (!Number.isInteger(first) || !Number.isInteger(length) || first < 0 || length < 1 || first + length > list.length)
    throw new RangeError(`${length} nodes from ${first} are no range of a list of ${list.length}.`);
  const siblings: Uint8Array[] = [];
  let level = list;
  let from = first;
  let to = first + length - 1;
  while (level.length > 1) {
    for (const sibling of [from % 2 === 1 ? level[from - 1] : undefined, to % 2 === 0 ? level[to + 1] : undefined])
      if (sibling) siblings.push(sibling);
    level = parents(level);
    from >>= 1;
    to >>= 1;
  }
  return { count: list.length, first, nodes: list.slice(first, first + length), siblings };
}

/** The root that an opening leads to, or undefined where it is none: out of range, siblings missing or left over. */
export function rootOfOpening({ count, first, nodes, siblings }: Opening): Uint8Array | undefined {
  if (!Number.isInteger(first) || first < 0 || nodes.length < 1 || first + nodes.length > count) return undefined;
  let level = [...nodes];
  let from = first;
  let size = count;
  let used = 0;
  while (size > 1) {
    if (from % 2 === 1) {
      const left = siblings[used++];
      if (!left) return undefined;
      level.unshift(left);
      from--;
    }
    const last = from + level.length - 1;
    if (last % 2 === 0 && last + 1 < size) {
      const right = siblings[used++];
      if (!right) return undefined;
      level.push(right);
    }
    level = parents(level);
    from >>= 1;
    size = (size + 1) >> 1;
  }
  return used === siblings.length ? level[0] : undefined;
}

/** Whether an opening leads to this root. */
export function verifyOpening(root: Uint8Array, opening: Opening): boolean {
  const reached = rootOfOpening(opening);
  return reached !== undefined && reached.length === root.length && reached.every((byte, i) => byte === root[i]);
}
