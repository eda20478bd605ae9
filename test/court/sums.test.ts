import {
  add,
  costOfFold,
  ELEMENT_TYPES,
  type ElementType,
  elementBytes,
  type FoldHandle,
  mul,
  programBuilder,
  sub,
  type TensorHandle,
  type Value,
} from "@foldmark/machine";
import type { RandomJob } from "@foldmark/machine/testing";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Expr, operation, variables } from "../../packages/machine/src/builder/expr.ts";
import { type Choices, choicesOf } from "../../packages/machine/src/testing/choices.ts";
import { randomBytes } from "../../packages/machine/src/testing/randomBytes.ts";
import { randomExpression } from "../../packages/machine/src/testing/randomExpression.ts";
import { courtCase, lieAt, shown } from "../support/courtCase.ts";
import { cases, drawsFrom, patience, testSeed } from "../support/deep.ts";
import { overrun } from "../support/evidenceCost.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import type { RefuteCall } from "../support/refuteCall.ts";

/** Around words of 32 bytes, chunks of 512 terms and leaves of 1,024 bytes. */
const LENGTHS = [
  1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 511, 512, 513, 600, 1_023, 1_024, 1_025, 1_100,
];

type Sources = { tensors: TensorHandle[]; plain: FoldHandle; scalars: FoldHandle; transposed: FoldHandle };

/** A sum over up to 1,100 terms of tensors and folds that are longer, shorter or begin elsewhere. */
function sumJob(choices: Choices): RandomJob {
  const terms = choices.pick(LENGTHS);
  const T = choices.chance(50) ? choices.pick([1, 5, 40]) : terms;
  const p = programBuilder({ maxT: T });
  const cols = () => Math.max(1, terms + choices.pick([-40, -3, -1, 0, 0, 0, 1, 5, 70, 1_024]));
  const tensors = Array.from({ length: 3 }, () =>
    p.constant({ type: choices.pick(ELEMENT_TYPES), rows: choices.integer(1, 3), cols: cols() }),
  );
  const [first = tensors[0] as TensorHandle] = tensors;
  const type = (): ElementType => choices.pick(ELEMENT_TYPES);
  const plain = p.fold({ type: type(), steps: 2, rows: 2, cols: cols() }, ({ t, r, c }) =>
    operation("xor", first.at(r, c), mul(add(t, r), 37)),
  );
  const scalars = p.fold({ type: type() }, ({ t }) => first.at(0, add(t, 3)));
  const transposed = p.fold({ type: type(), order: 1, cols: 2 }, ({ t, c }) => sub(first.at(0, t), mul(c, 11)));
  const sources = { tensors, plain, scalars, transposed };
  const { k } = variables;
  const body = choices.chance(40)
    ? mul(run(choices, sources, true), run(choices, sources, true))
    : randomExpression(choices, {
        variables: [k, variables.c, variables.t],
        load: (index) => (choices.chance(80) ? run(choices, sources, false) : first.at(index(), index())),
      });
  p.sum({ type: choices.pick(["i32", "i64"]), steps: 1, cols: 2, axis: terms }, { body: () => body });
  p.fold({ type: "i8" }, () => 1);
  const program = p.build();
  const constants = program.constants.map((decl) => randomBytes(choices, decl.type, decl.rows * decl.cols));
  // the first is given whole, since it feeds the folds
  constants[0] = mixedBytes(choices, first.type, first.rows * first.cols);
  return { program, constants, job: { T, request: [], claimed: [] } };
}

/** Adjacent elements, in the middle of what there is or partly outside. */
function run(choices: Choices, { tensors, plain, scalars, transposed }: Sources, isExact: boolean): Expr {
  const { k, c } = variables;
  const shifted = isExact && choices.chance(60) ? k : add(k, choices.pick([-600, -33, -5, -1, 0, 1, 2, 31, 500]));
  const fixed: Value = choices.chance(50) ? c : choices.integer(-1, 2);
  switch (choices.pick(["tensor", "tensor", "plain", "scalars", "transposed"] as const)) {
    case "tensor":
      return choices.pick(tensors).at(fixed, shifted);
    case "plain":
      return plain.at(fixed, c, shifted);
    case "scalars":
      return scalars.at(shifted, 0, 0);
    default:
      return transposed.at(shifted, 0, fixed);
  }
}

function mixedBytes(choices: Choices, type: ElementType, elements: number): Uint8Array {
  const draws = drawsFrom(choices.integer(0, 2 ** 31 - 1));
  const bits = { i8: 8, i16: 16, i32: 32, i64: 64 }[type];
  const any = () => BigInt.asIntN(bits, BigInt(draws.below(2 ** 32)) * 2n ** 32n + BigInt(draws.below(2 ** 32)));
  return elementBytes(type, Array.from({ length: elements }, any));
}

describe("a sum over many terms", () => {
  let referee: Referee;
  beforeAll(async () => {
    referee = await openReferee();
  });

  it(
    "is what the reference adds up, at the ends of chunks, leaves and tensors too, at no more than its cost",
    async () => {
      const draws = drawsFrom(testSeed);
      const jobs = fc.sample(
        fc.gen().map((draw) => sumJob(choicesOf(draw))),
        { seed: testSeed, numRuns: cases(150) },
      );
      for (const job of jobs) {
        const dispute = courtCase(job);
        const calls: RefuteCall[] = [0, 1].flatMap((c) => {
          const at = { stage: 3, fold: 0, t: 0, r: 0, c };
          const lie = lieAt(dispute, at, draws);
          return [dispute.call(dispute.honest, { ...at, j: 0 }), dispute.call(lie.trace, lie.target)];
        });
        const outcomes = await referee.refuteAll(calls);
        const verdicts = outcomes.map(({ verdict }) => verdict);
        expect(verdicts, `seed ${testSeed}: ${shown(job).slice(0, 20_000)}`).toEqual([
          ...["NotRefuted", "refuted"],
          ...["NotRefuted", "refuted"],
        ]);
        const cost = costOfFold(job.program, { stage: 3, fold: 0 });
        for (const [i, outcome] of outcomes.entries()) {
          const { exceeds } = overrun(cost, outcome, (calls[i] as RefuteCall).evidence);
          expect(exceeds, `seed ${testSeed}: ${shown(job).slice(0, 20_000)}`).toBeUndefined();
        }
      }
    },
    patience,
  );
});
