import { add, elementBytes, eq, type FoldHandle, mul, programBuilder, size } from "../../src/index.ts";
import type { RandomJob } from "../../src/testing/index.ts";

/** Tensors of up to 141 leaves in every order, and a loop of 37 steps. */
export function manyLeaves(): RandomJob {
  const p = programBuilder({ maxT: 37 });
  const given = p.constant({ type: "i16", rows: 1, cols: 3_000 });
  const wide = p.fold({ type: "i64", steps: 6, cols: 3_000 }, ({ t, c }) => add(mul(given.at(0, c), 77), t));
  const moved = p.loop({}, (loop) => {
    const folds: FoldHandle[] = [0, 1, 2].map((i) =>
      loop.fold({ type: "i64", cols: 200 }, ({ t, c }) =>
        add(loop.prev(folds[i] as FoldHandle, 0, c), wide.at(t, 0, mul(c, 9))),
      ),
    );
    return folds[2] as FoldHandle;
  });
  const transposed = p.fold({ type: "i32", cols: 50, order: 1 }, ({ t, c }) => moved.at(t, 0, mul(c, 3)));
  const history = p.fold({ type: "i16", rows: 2, cols: size.history }, ({ t, r, c }) => transposed.at(c, 0, add(t, r)));
  p.sum({ type: "i64", axis: 1_000 }, { body: ({ t, k }) => wide.at(t, 0, k) });
  p.fold({ type: "i8", cols: 100 }, ({ t, c }) => eq(history.at(t, 0, c), history.at(t, 0, c)));
  const values = Array.from({ length: 3_000 }, (_, i) => BigInt(((i * 7_919) % 60_000) - 30_000));
  const job = { T: 37, request: [], claimed: [] };
  return { program: p.build(), constants: [elementBytes("i16", values)], job };
}
