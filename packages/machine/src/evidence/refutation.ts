/** The element that is said to be wrong. `j` is the index that beats the claimed one where the fold is an argmax, else 0. */
export type Target = { stage: number; fold: number; t: number; r: number; c: number; j: number };

/** A record of the program with its path: tensors come first, by their number, then stages. */
export type OpenedRecord = { index: number; data: Uint8Array; path: Uint8Array[] };

/** Adjacent leaves of a tensor (`isFold` false, `number` the tensor's) or of a fold (`number` the stage's). */
export type OpenedTensor = {
  isFold: boolean;
  number: number;
  fold: number;
  t: number;
  first: number;
  data: Uint8Array;
  siblings: Uint8Array[];
};

/** What a referee needs to see that one element does not follow from its operands. */
export type Refutation = { target: Target; records: OpenedRecord[]; code: Uint8Array; openings: OpenedTensor[] };
