import { z } from "zod";

const positive = (description: string) => z.number().positive().max(1e9).meta({ description });

/** The body of `POST /v1/simulations`: a European call priced by Monte Carlo. */
export const simulationRequest = z
  .strictObject({
    model: z.string().min(1).max(256).meta({ description: "An alias or an asset id of GET /v1/models." }),
    parameters: z
      .strictObject({
        rate: z.number().min(-1).max(1).meta({ description: "Riskless rate a year, continuous: 0.05 is 5 %." }),
        volatility: z.number().min(0).max(10).meta({ description: "A year: 0.2 is 20 %." }),
        maturity: positive("Years."),
        strike: positive("In the unit of spot."),
        spot: positive("Price of the underlying today; the answer is in its unit."),
      })
      .meta({ id: "SimulationParameters" }),
    paths: z
      .int()
      .min(1024)
      .max(1_073_741_824)
      .multipleOf(1024)
      .default(262_144)
      .meta({ description: "Number of paths: a multiple of 1,024, at most 1,024 times the model's context." }),
    seed: z.int().nullish().meta({ description: "Without it the gateway draws 64 random bits." }),
    metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
    user: z.string().max(1024).optional(),
  })
  .meta({ id: "SimulationRequest" });

export type SimulationRequest = z.infer<typeof simulationRequest>;
