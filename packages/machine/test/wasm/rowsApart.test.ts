import { describe, expect, it } from "vitest";
import {
  add,
  type Expr,
  type FoldHandle,
  mul,
  openReference,
  programBuilder,
  size,
  sub,
  xor,
} from "../../src/index.ts";
import { readFolds } from "../../src/wasm/folds.ts";
import { openWasm } from "../../src/wasm/index.ts";

const [ROWS, COLUMNS, T] = [3, 5, 70];
type At = { t: Expr; r: Expr; c: Expr; k: Expr };

const WAYS: {
  way: string;
  isApart: boolean;
  order?: 0 | 1;
  rows?: number;
  axis?: number;
  loads: ((x: FoldHandle, at: At) => Expr)[];
}[] = [
  { way: "walked through row by row", isApart: true, loads: [(x, { r, c, k }) => x.at(c, r, k)] },
  { way: "summed over steps", isApart: true, axis: size.history, loads: [(x, { r, k }) => x.at(k, r, 1)] },
  {
    way: "walked through, and loaded at its own step",
    isApart: true,
    loads: [(x, { r, c, k }) => x.at(c, r, k), (x, { t, r, k }) => x.at(t, k, r)],
  },
  { way: "of one row", rows: 1, isApart: false, loads: [(x, { c, k }) => x.at(c, 0, k)] },
  { way: "time innermost", order: 1, isApart: false, loads: [(x, { r, c, k }) => x.at(c, r, k)] },
  {
    way: "walked through from row to row",
    isApart: false,
    axis: size.history,
    loads: [(x, { c, k }) => x.at(k, k, c)],
  },
  { way: "loaded at one earlier step", isApart: false, loads: [(x, { t, r, k }) => x.at(sub(t, 3), r, k)] },
  {
    way: "walked through in two ways",
    isApart: false,
    loads: [(x, { r, c, k }) => x.at(c, r, k), (x, { c, k, r }) => x.at(c, c, add(k, r))],
  },
];

describe("a fold whose steps are", () => {
  it.each(WAYS)(
    "$way has rows apart: $isApart, and the reference's elements",
    async ({ isApart, order, rows, axis, loads }) => {
      const p = programBuilder({ maxT: T });
      const x = p.fold({ type: "i16", rows: rows ?? ROWS, cols: COLUMNS, order: order ?? 0 }, ({ t, r, c }) =>
        sub(xor(mul(add(mul(t, 977), mul(r, 131)), add(c, 3)), 0x2a5), 9_000),
      );
      const read = loads.map((load) =>
        p.sum(
          { type: "i64", rows: ROWS, cols: size.history, axis: axis ?? COLUMNS },
          { body: (at) => mul(load(x, at), 3) },
        ),
      );
      p.fold({ type: "i8" }, () => 1);
      const program = p.build();
      expect(readFolds(program).codes[0]?.rowsApart).toBe(isApart);

      const want = [x, ...read].map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
      const expected = (await openReference(program, () => new Uint8Array())).run({
        T,
        request: [],
        claimed: [],
        want,
      });
      const engine = await openWasm(program, () => new Uint8Array());
      expect(engine.run({ T, request: [], claimed: [], want })).toEqual(expected);
      // in pieces, over the growth of a session, from where another one forked
      const session = engine.open({ request: [] });
      const parts: Uint8Array[][] = want.map(() => []);
      let last = session;
      for (const steps of [1, 20, 40, 9]) {
        const [results = []] = engine.advance([{ session: last, steps, claimed: [], want }]);
        for (const [at, bytes] of results.entries()) parts[at]?.push(bytes);
        last = engine.fork(last);
      }
      expect(parts.map((part) => Uint8Array.from(Buffer.concat(part)))).toEqual(expected);
      const restored = engine.restore(engine.snapshot(session));
      expect(engine.snapshot(restored)).toEqual(engine.snapshot(session));
      engine.close();
    },
  );
});
