import { type ConstantSource, type Engine, openReference, type Program } from "@foldmark/machine";
import type { WorkerStart } from "./messages.ts";

/** Opens the engine of a back end. The reference has one thread whatever is asked for. */
export async function openBackend(
  { backend, threads }: Pick<WorkerStart, "backend" | "threads">,
  program: Program,
  constants: ConstantSource,
): Promise<Engine> {
  if (backend === "reference") return openReference(program, constants);
  const { openWasmWith } = await import("@foldmark/machine");
  return openWasmWith(program, constants, { threads });
}
