import type { Position } from "@foldmark/machine";
import type { Address, Hex } from "viem";

/** Whose move a challenge waits for, or how it has ended, in the contract's order. */
export const TURNS = ["none", "payee", "challenger", "lost", "won"] as const;
export type Turn = (typeof TURNS)[number];

/** A challenge as the court has it at one block. Times in unix seconds. */
export type Game = {
  id: Hex;
  answerDigest: Hex;
  challenger: Address;
  turn: Turn;
  /** The last second in which whoever has the turn may move. */
  deadline: bigint;
  /** Levels under `position` whose nodes have been revealed; 0 before any. */
  depth: number;
  isLeafRevealed: boolean;
  /** Hash at `position`. */
  node: Uint8Array;
  position: Position;
};

/** A challenged answer as the court has it at one block. */
export type Dispute = {
  payee: Address;
  statementId: Hex;
  channelId: Hex;
  /** Undefined until it is posted. */
  traceRoot: Uint8Array | undefined;
  /** The last second in which the root may be posted. */
  rootDue: bigint;
  /** 0 while nobody was convicted. */
  convictedAt: bigint;
  /** Challenges that are neither lost nor won. */
  open: number;
};

/** Levels that one reveal shows at most: 16 nodes. */
export const REVEAL_DEPTH = 4;

export const isOver = ({ turn }: Game): boolean => turn === "lost" || turn === "won" || turn === "none";
