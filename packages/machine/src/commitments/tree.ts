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
 * Where the siblings of adjacent nodes lie in a list of `count`. Bottom up, each level has one at the left if the range
 * starts at an odd index, then one at the right if it ends at an even index that is not the last. One node is a range of
 * one.
 * @throws RangeError where the list has no such nodes
 */
export function* siblingsOf({ first, length, count }: { first: number; length: number; count: number }): Generator<{
  height: number;
  index: number;
}> {
  if (!Number.isInteger(first) || !Number.isInteger(length) || first < 0 || length < 1 || first + length > count)
    throw new RangeError(`${length} nodes from ${first} are no range of a list of ${count}.`);
  let from = first;
  let to = first + length - 1;
  let size = count;
  for (let height = 0; size > 1; height++) {
    if (from % 2 === 1) yield { height, index: from - 1 };
    if (to % 2 === 0 && to + 1 < size) yield { height, index: to + 1 };
    from >>= 1;
    to >>= 1;
    size = (size + 1) >> 1;
  }
}

/** Every level of a list from its nodes up; the last has the root alone. */
export function levelsOf(nodes: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  const levels = [nodes];
  for (let level = nodes; level.length > 1; levels.push(level)) level = parents(level);
  return levels;
}

/** Opens adjacent nodes of a list. @throws RangeError where the list has no such nodes */
export function openRange(list: readonly Uint8Array[], first: number, length = 1): Opening {
  const levels = levelsOf(list);
  const siblings = [...siblingsOf({ first, length, count: list.length })].map(
    ({ height, index }) => levels[height]?.[index] as Uint8Array,
  );
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
