import { sha256 } from "@foldmark/machine/commitments";
import { fromHex, type Hex, toHex } from "./hex.ts";

/** `SHA-256(05 || modelId || packageHash)`: a model with its manifest, the id of its token. */
export function assetId(modelId: Hex, packageHash: Hex): Hex {
  const message = new Uint8Array(65);
  message[0] = 5;
  message.set(fromHex(modelId), 1);
  message.set(fromHex(packageHash), 33);
  return toHex(sha256(message));
}
