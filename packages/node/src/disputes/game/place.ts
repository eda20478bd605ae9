import {
  foldsPosition,
  type List,
  leavesPosition,
  nodesAt,
  type Position,
  type Program,
  rootPosition,
  stepsOf,
  stepsPosition,
} from "@foldmark/machine";
import { FoldmarkError } from "@foldmark/protocol";

/** A position by its numbers alone: lengths follow from the program and T. */
export type Place = Pick<Position, "list" | "stage" | "t" | "fold" | "height" | "index">;

export const placeOf = ({ list, stage, t, fold, height, index }: Position): Place => ({
  ...{ list, stage, t, fold, height, index },
});

/** The position at a place. @throws `request.invalid` where the trace has no such node */
export function positionAt(program: Program, T: number, place: Place): Position {
  const { stage, fold, t, height, index } = place;
  const decl = program.stages[stage];
  const isLoop = decl?.order === 2;
  const steps = decl && isLoop ? stepsOf(decl, T) : 1;
  const exists =
    decl && t < steps && fold < decl.folds.length && (isLoop || place.list === "stages" || place.list === "leaves");
  if (!exists) throw noSuch(place);
  const root = rootOf(program, T, place);
  if (height > root.height || index >= nodesAt(root.length, height)) throw noSuch(place);
  return { ...root, height, index };
}

function rootOf(program: Program, T: number, { list, stage, t, fold }: Place): Position {
  switch (list) {
    case "stages":
      return rootPosition(program);
    case "steps":
      return stepsPosition(program, stage, T);
    case "folds":
      return foldsPosition(program, stage, t);
    case "leaves":
      return leavesPosition(program, { stage, fold, t }, T);
  }
}

const noSuch = (place: Place) =>
  new FoldmarkError("request.invalid", `The trace has no ${place.list satisfies List} node ${place.index} there.`, {
    details: { fields: ["places"], place },
  });
