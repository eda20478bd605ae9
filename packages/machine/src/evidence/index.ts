// hashTree <- committedTensors, records, payeeTree <- build; malformed
export { type DisputedJob, falseElement, refutationOf, type TensorCommitment } from "./build.ts";
export { CommittedTensors } from "./committedTensors.ts";
export { clearRefutation, type ProgramBytes, programBytes, programEvidence } from "./malformed.ts";
export { type DifferingLeaf, openInPayeeTree, type PayeeTree } from "./payeeTree.ts";
export type * from "./refutation.ts";
export { type NodeAt, RevealedNodes } from "./revealedNodes.ts";
