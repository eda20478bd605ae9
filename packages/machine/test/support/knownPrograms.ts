import { add, and, eq, mul, mulshr, philox, programBuilder, select, shr, size, sub } from "../../src/index.ts";

/** The first known answer: a product of a matrix and a request, compared with what is claimed. */
export function firstProgram() {
  const p = programBuilder({ maxT: 100 });
  const request = p.request({ type: "i8", rows: 1, cols: 4 });
  const claimed = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const constant = p.constant({ type: "i8", rows: 3, cols: 4 });
  const y = p.sum(
    { type: "i32", axis: 4 },
    { body: ({ t, k }) => mul(request.at(0, k), constant.at(t, k)), finish: ({ acc }) => mulshr(acc, 3, 1) },
  );
  p.fold({ type: "i8" }, ({ t }) => eq(y.at(t, 0, 0), claimed.at(0, t)));
  return p.build();
}

/** The second known answer: order 1, history, argmax, a loop with `now` and `prev`, ceil(T / 2) steps, saturation. */
export function secondProgram() {
  const p = programBuilder({ maxT: 50 });
  const request = p.request({ type: "i64", rows: 1, cols: 2 });
  const claimed = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const constant = p.constant({ type: "i16", rows: 2, cols: 3 });
  const noise = p.fold({ type: "i16", cols: 2, order: 1 }, ({ t, c }) =>
    sub(and(philox(t, c, request.at(0, 0)), 0xffff), 32_768),
  );
  const scores = p.sum(
    { type: "i32", rows: 2, cols: size.history, axis: 2 },
    { body: ({ r, c, k }) => mul(noise.at(c, 0, k), constant.at(r, k)), finish: ({ acc }) => shr(acc, 4) },
  );
  const best = p.argmax({ rows: 2, axis: size.history }, ({ t, r, k }) => scores.at(t, r, k));
  const second = p.loop({}, (loop) => {
    const first = loop.fold({ type: "i8", cols: 2 }, ({ t, c }) =>
      select(eq(t, 0), request.at(0, 1), add(loop.prev(feedback, 0, c), shr(scores.at(t, c, best.at(t, c, 0)), 9))),
    );
    const feedback = loop.fold({ type: "i64", cols: 2 }, ({ c }) =>
      sub(mulshr(loop.now(first, 0, c), -7, 2), loop.prev(first, 0, sub(1, c))),
    );
    return feedback;
  });
  p.fold({ type: "i32", steps: size.steps(2) }, ({ t }) => second.at(mul(t, 2), 0, 1));
  p.fold({ type: "i8" }, ({ t }) => eq(claimed.at(0, t), second.at(t, 0, 1)));
  return p.build();
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export const littleEndian = (bytes: 1 | 2 | 4 | 8, values: readonly number[]): Uint8Array =>
  Uint8Array.from(
    values.flatMap((value) =>
      Array.from({ length: bytes }, (_, i) => Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(8 * i)) & 255n)),
    ),
  );
