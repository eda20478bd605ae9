import { add, eq, programBuilder, size } from "../../src/index.ts";
import type { RandomJob } from "../../src/testing/index.ts";

/** A stage of each order with leaves enough for several levels, an element that is a list of one, and a last stage of ones. */
export function manyLeaves(): RandomJob {
  const p = programBuilder({ maxT: 60 });
  const scores = p.fold({ type: "i64", rows: 2, cols: size.history }, ({ t, r, c }) => add(add(t, r), c));
  p.fold({ type: "i32", cols: 20, order: 1 }, ({ t, c }) => add(t, c));
  p.loop({ steps: 3 }, (loop) => {
    const wide = loop.fold({ type: "i64", cols: 300 }, ({ t, c }) => add(t, c));
    return loop.fold({ type: "i8", cols: 2 }, ({ c }) => loop.now(wide, 0, c));
  });
  p.loop({ steps: 1 }, (loop) => loop.fold({ type: "i64", cols: 400 }, ({ c }) => c));
  p.fold({ type: "i8" }, ({ t }) => eq(scores.at(t, 0, 0), t));
  return { program: p.build(), constants: [], job: { T: 60, request: [], claimed: [] } };
}
