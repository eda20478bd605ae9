// Payees whose statement is false and whose tree cannot be shown as the court wants it.
import type { Trace } from "@foldmark/machine";
import { forge } from "@foldmark/machine/testing";
import { stoppedEarly } from "./answers.ts";
import { anotherResult } from "./arithmetic.ts";
import type { Lie } from "./told.ts";

/** The first leaf of all, in another length than its tensor has. */
const firstLeafOf =
  (bytes: (honest: Uint8Array) => Uint8Array): Lie =>
  async () => {
    const told = await stoppedEarly();
    const { program } = told.stated.model;
    const { shown } = told;
    if (!shown) throw new Error("a tree is wanted");
    const of = { stage: 0, fold: 0, t: 0 };
    return { ...told, shown: forge(shown, { program, changes: [{ of, index: 0, bytes: bytes(shown.leaf(of, 0)) }] }) };
  };

export const shortLeaf = firstLeafOf((leaf) => leaf.slice(0, -4));
export const overlongLeaf = firstLeafOf((leaf) => Uint8Array.of(...leaf, 0, 0, 0, 0));

/** Shows other nodes than those under its root. */
export const wrongChild: Lie = async () => {
  const told = await anotherResult();
  const { shown } = told;
  if (!shown) throw new Error("a tree is wanted");
  const nodes: Trace["nodes"] = (under, depth) =>
    shown.nodes(under, depth).map((node, i) => (depth > 0 && i === 0 ? node.toReversed() : node));
  return { ...told, shown: { ...shown, nodes } };
};

/** Posts a root under which there is nothing. */
const rootOf =
  (byte: number): Lie =>
  async () => {
    const told = await anotherResult();
    return { ...told, shown: told.shown && { ...told.shown, root: new Uint8Array(32).fill(byte) } };
  };
export const rootFromNowhere = rootOf(7);
export const zeroRoot = rootOf(0);
