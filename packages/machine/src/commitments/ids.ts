import { encodeHeader, recordsOf } from "../encode.ts";
import { leafHash, taggedHash } from "../hash.ts";
import type { Program } from "../program.ts";
import { tensorRoot } from "./tensor.ts";
import { listRoot } from "./tree.ts";

/** Commits to every record of a program: tensors and stages, and through them to all code. */
export const programRoot = (program: Program): Uint8Array => listRoot(recordsOf(program).map(leafHash));

/** The root over whole tensors: of the constants it is `weightsRoot`, of the others `requestRoot` and `claimedRoot`. */
export const tensorsRoot = (tensors: readonly Uint8Array[]): Uint8Array => listRoot(tensors.map(tensorRoot));
export const weightsRoot = tensorsRoot;
export const requestRoot = tensorsRoot;
export const claimedRoot = tensorsRoot;

/** `SHA-256(02 || header || programRoot || weightsRoot)`: what computes. */
export const modelId = (program: Program, weights: Uint8Array): Uint8Array =>
  taggedHash(2, [encodeHeader(program), programRoot(program), weights]);

/** `SHA-256(03 || modelId || requestRoot)`: what is asked of it. The payer fixes it before any work. */
export const jobId = (model: Uint8Array, request: Uint8Array): Uint8Array => taggedHash(3, [model, request]);

/** `SHA-256(04 || jobId || u32 T || claimedRoot)`: what was answered. */
export function statementId(job: Uint8Array, { T, claimed }: { T: number; claimed: Uint8Array }): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, T, true);
  return taggedHash(4, [job, length, claimed]);
}
