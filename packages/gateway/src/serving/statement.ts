import { claimedRoot, requestRoot } from "@foldmark/machine/commitments";
import { type Preimage, toHash } from "@foldmark/protocol";
import { bytesToHex } from "viem";
import type { ServedModel } from "../models/servedModel.ts";

/** The preimage of the statement that a request has been answered with these claimed tensors in T steps. */
export function preimageOf(
  { header, programRoot, weightsRoot }: Pick<ServedModel, "header" | "programRoot" | "weightsRoot">,
  { request, claimed, T }: { request: readonly Uint8Array[]; claimed: readonly Uint8Array[]; T: number },
): Preimage {
  return {
    header,
    programRoot,
    weightsRoot,
    requestRoot: toHash(bytesToHex(requestRoot(request))),
    T,
    claimedRoot: toHash(bytesToHex(claimedRoot(claimed))),
  };
}
