/** The lists of a trace, from its root down: stages; of a loop its steps, of a step its folds; leaves of a tensor. */
export type List = "stages" | "steps" | "folds" | "leaves";

/**
 * A node of a trace's tree. Height 0 is an element of its list; what lies below it is the next list's root. `stage`, `t` and
 * `fold` say what has been entered so far and are 0 before; `tensorBytes` is 0 but among leaves.
 */
export type Position = {
  list: List;
  height: number;
  index: number;
  length: number;
  stage: number;
  t: number;
  fold: number;
  tensorBytes: number;
};
