import { type ConstantSource, type Engine, openReference, type Program } from "@foldmark/machine";
import type { WorkerStart } from "./messages.ts";

/** Opens the engine of a back end. */
export async function openBackend(
  name: WorkerStart["backend"],
  program: Program,
  constants: ConstantSource,
): Promise<Engine> {
  if (name === "reference") return openReference(program, constants);
  const { openWasm } = await import("@foldmark/machine");
  return openWasm(program, constants);
}
