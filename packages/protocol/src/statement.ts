import { concat, type Hex, hexToBytes, numberToHex, sha256 } from "viem";
import { z } from "zod";
import { FoldmarkError } from "./errors.ts";
import {
  type AssetId,
  bytesSchema,
  type Hash,
  hashSchema,
  type JobId,
  type ModelId,
  type StatementId,
  toAssetId,
  toJobId,
  toModelId,
  toStatementId,
} from "./ids.ts";

/** Everything that a statement is made of. It travels beside an Answer and is handed to the court. */
export type Preimage = {
  /** The program's 14 bytes: version, counts, maxT. */
  header: Hex;
  programRoot: Hash;
  weightsRoot: Hash;
  requestRoot: Hash;
  /** Number of positions, or steps, that the statement is about. */
  T: number;
  claimedRoot: Hash;
};

const HEADER_BYTES = 14;

/** modelId = SHA-256(02 || header || programRoot || weightsRoot). */
export function modelIdOf({
  header,
  programRoot,
  weightsRoot,
}: Pick<Preimage, "header" | "programRoot" | "weightsRoot">): ModelId {
  return toModelId(sha256(concat(["0x02", header, programRoot, weightsRoot])));
}

/** jobId = SHA-256(03 || modelId || requestRoot). */
export function jobIdOf(modelId: ModelId, requestRoot: Hash): JobId {
  return toJobId(sha256(concat(["0x03", modelId, requestRoot])));
}

/** statementId = SHA-256(04 || jobId || u32 T || claimedRoot), T little-endian. @throws `statement.malformed` */
export function statementIdOf(preimage: Preimage): StatementId {
  if (!Number.isInteger(preimage.T) || preimage.T < 0 || preimage.T > 0xffffffff)
    throw new FoldmarkError("statement.malformed", `T must fit u32, got ${preimage.T}.`, {
      details: { T: preimage.T },
    });
  const jobId = jobIdOf(modelIdOf(preimage), preimage.requestRoot);
  return toStatementId(sha256(concat(["0x04", jobId, u32(preimage.T), preimage.claimedRoot])));
}

/** assetId = SHA-256(05 || modelId || packageHash): the token id of a model with its manifest. */
export function assetIdOf(modelId: ModelId, packageHash: Hash): AssetId {
  return toAssetId(sha256(concat(["0x05", modelId, packageHash])));
}

/** What the 14 header bytes say. @throws `statement.malformed` */
export function parseHeader(header: Hex) {
  const bytes = hexToBytes(header);
  if (bytes.length !== HEADER_BYTES)
    throw new FoldmarkError("statement.malformed", `A header has ${HEADER_BYTES} bytes, got ${bytes.length}.`, {
      details: { header },
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    version: view.getUint16(0, true),
    requestTensors: view.getUint16(2, true),
    claimedTensors: view.getUint16(4, true),
    constants: view.getUint16(6, true),
    stages: view.getUint16(8, true),
    maxT: view.getUint32(10, true),
  };
}

export const preimageSchema = z.strictObject({
  header: bytesSchema.refine((hex) => hex.length === 2 + 2 * HEADER_BYTES, `must have ${HEADER_BYTES} bytes`),
  programRoot: hashSchema,
  weightsRoot: hashSchema,
  requestRoot: hashSchema,
  T: z.int().min(0).max(0xffffffff),
  claimedRoot: hashSchema,
});

function u32(value: number): Hex {
  const bigEndian = numberToHex(value, { size: 4 }).slice(2);
  return `0x${bigEndian.slice(6, 8)}${bigEndian.slice(4, 6)}${bigEndian.slice(2, 4)}${bigEndian.slice(0, 2)}`;
}
