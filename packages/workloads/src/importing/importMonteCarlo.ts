import { monteCarloFamily } from "../families/monteCarlo.ts";
import { type WrittenPackage, writePackage } from "../packages/write.ts";
import { DEFAULT_MONTE_CARLO, monteCarloConstants } from "../simulations/monteCarlo.ts";

/** Writes the package of the European call, priced by Monte Carlo. It needs no file: its tables are computed. */
export async function importMonteCarlo(dir: string): Promise<WrittenPackage> {
  const constants = monteCarloConstants();
  return writePackage(dir, {
    name: "monte-carlo-european-call",
    licence: "Apache-2.0",
    family: { name: monteCarloFamily.name, configuration: DEFAULT_MONTE_CARLO },
    built: monteCarloFamily.build(DEFAULT_MONTE_CARLO),
    report: { arithmetic: "Philox 4x32-10, inverse normal by interpolated table, 2^-24 of the spot price" },
    constants: (index) => constants[index] ?? new Uint8Array(),
  });
}
