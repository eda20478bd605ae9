import type { FoldCost, Refutation } from "@foldmark/machine";
import type { Outcome } from "./referee.ts";

/** Bytes of evidence as the cost model counts them: 320 beside each opening, 192 beside each record. */
export const evidenceBytes = ({ records, code, openings }: Refutation): number =>
  records.reduce((sum, { data, path }) => sum + data.length + 32 * path.length + 192, 0) +
  openings.reduce((sum, { data, siblings }) => sum + data.length + 32 * siblings.length + 320, 0) +
  code.length;

/** What a refutation took, and by how much it exceeds what the model says it takes at most. */
export const overrun = (cost: FoldCost, { gas, calldataBytes }: Outcome, evidence: Refutation) => ({
  gasShare: gas / cost.gas,
  byteShare: evidenceBytes(evidence) / cost.evidenceBytes,
  exceeds:
    gas > cost.gas || evidenceBytes(evidence) > cost.evidenceBytes
      ? `${gas} gas of ${cost.gas}, ${evidenceBytes(evidence)} bytes of ${cost.evidenceBytes}, ${calldataBytes} of calldata`
      : undefined,
});
