// Moves of both seats as transactions.
import type { Refutation } from "@foldmark/machine";
import type { Address, Hex } from "viem";
import { bytesToHex } from "viem";
import type { ChallengerMove } from "../../../packages/node/src/disputes/game/challengerMove.ts";
import type { PayeeMove } from "../../../packages/node/src/disputes/game/payeeMove.ts";
import type { GameChain, Sent } from "./chain.ts";
import type { SignedAnswer } from "./table.ts";

export type Ask = Omit<Extract<ChallengerMove, { kind: "ask" }>, "kind" | "position">;

const opened = (record: Ask["record"] | undefined) =>
  record
    ? { index: record.index, data: bytesToHex(record.data), path: record.path.map((node) => bytesToHex(node)) }
    : ({ index: 0, data: "0x", path: [] } as const);

/** The calls, so that one can be sent or only tried. */
export const calls = {
  challenge: ({ answer, r, vs, subject }: SignedAnswer) =>
    ({ functionName: "challenge", args: [answer, r, vs, subject.preimage] }) as const,
  post: (digest: Hex, root: Uint8Array) => ({ functionName: "post", args: [digest, bytesToHex(root)] }) as const,
  ask: (id: Hex, { subject }: SignedAnswer, { child, node, path, record }: Ask) =>
    ({
      functionName: "ask",
      args: [id, subject.preimage, child, bytesToHex(node), path.map((each) => bytesToHex(each)), opened(record)],
    }) as const,
  reveal: (id: Hex, nodes: readonly Uint8Array[]) =>
    ({ functionName: "reveal", args: [id, nodes.map((node) => bytesToHex(node))] }) as const,
  revealLeaf: (id: Hex, data: Uint8Array) => ({ functionName: "revealLeaf", args: [id, bytesToHex(data)] }) as const,
  refute: (id: Hex, { subject }: SignedAnswer, { target, records, code, openings }: Refutation) =>
    ({
      functionName: "refute",
      args: [
        ...([id, subject.preimage, target, records.map(opened), bytesToHex(code)] as const),
        openings.map(({ data, siblings, ...at }) => ({
          ...at,
          data: bytesToHex(data),
          siblings: siblings.map((node) => bytesToHex(node)),
        })),
      ],
    }) as const,
  timeout: (ids: readonly Hex[]) => ({ functionName: "timeout", args: [ids] }) as const,
  takeBond: (id: Hex) => ({ functionName: "takeBond", args: [id] }) as const,
  withdraw: { functionName: "withdraw", args: [] } as const,
};

export type Seat = { chain: GameChain; by: Address; id: Hex; of: SignedAnswer };

/** Sends what a seat has decided on; undefined where that is no transaction. */
export async function send({ chain, by, id, of }: Seat, move: ChallengerMove | PayeeMove): Promise<Sent | undefined> {
  switch (move.kind) {
    case "post":
      return chain.send(by, "court", calls.post(of.digest, move.traceRoot));
    case "reveal":
      return chain.send(by, "court", calls.reveal(id, move.nodes));
    case "revealLeaf":
      return chain.send(by, "court", calls.revealLeaf(id, move.data));
    case "ask":
      return chain.send(by, "court", calls.ask(id, of, move));
    case "refute":
      return chain.send(by, "court", calls.refute(id, of, move.refutation));
    case "timeout":
      return chain.send(by, "court", calls.timeout([id]));
    default:
      return undefined;
  }
}
