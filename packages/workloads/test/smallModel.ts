import type { Program } from "@foldmark/machine";
import { size } from "@foldmark/machine";
import { z } from "zod";
import type { BuiltModel, Family, ModelKind } from "../src/packages/family.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

/** The first known answer of the machine's specification: y[t] = mulshr(request row x constant row t, 3, 1), ok = (y == claimed). */
export const KNOWN_MODEL_ID = "0x8bf5f7d50861c528a592cbedc3b48537e7ecfd3e3fabb85708d970fe19e5dd9f";
export const KNOWN_WEIGHTS = Uint8Array.of(1, 1, 1, 1, 255, 2, 253, 4, 127, 127, 127, 128);

function knownProgram(maxT: number): Program {
  return {
    maxT,
    requests: [{ type: "i8", rows: size.fixed(1), cols: size.fixed(4) }],
    claimed: [{ type: "i32", rows: size.fixed(1), cols: size.steps() }],
    constants: [{ type: "i8", rows: size.fixed(3), cols: size.fixed(4) }],
    stages: [
      {
        order: 0,
        steps: size.steps(),
        folds: [
          {
            type: "i32",
            rows: size.fixed(1),
            cols: size.fixed(1),
            combine: "sum",
            axis: size.fixed(4),
            body: hex("0100070b000004070b020012"),
            finish: hex("090103010113"),
          },
        ],
      },
      {
        order: 0,
        steps: size.steps(),
        folds: [
          {
            type: "i8",
            rows: size.fixed(1),
            cols: size.fixed(1),
            combine: "none",
            axis: 0,
            body: hex("04010001000c0000000100040b01001b"),
            finish: new Uint8Array(),
          },
        ],
      },
    ],
  };
}

export const smallModel = (kind: ModelKind = "simulation", maxT = 100): BuiltModel => ({
  program: knownProgram(maxT),
  kind,
  answers: [{ claimed: 0, stage: 0, fold: 0 }],
  length: "open",
  stopIds: kind === "chat" ? [2, 0] : [],
});

const configurationSchema = z.strictObject({ kind: z.enum(["chat", "simulation"]), maxT: z.int() });

export const smallFamily: Family = {
  name: "small",
  build(configuration) {
    const { kind, maxT } = configurationSchema.parse(configuration);
    return smallModel(kind, maxT);
  },
};
