import { totalmem } from "node:os";
import { type ConstantSource, type Engine, openReference, type Program } from "@foldmark/machine";
import type { WorkerStart } from "./messages.ts";

/**
 * What one model's engine may take of this machine's memory, or of the share that its container has: requests wait for
 * room below it, so that no operating system ends the process for taking too much.
 */
function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory();
  return Math.floor(0.75 * Math.min(totalmem(), constrained > 0 ? constrained : Number.POSITIVE_INFINITY));
}

/** Opens the engine of a back end. The reference has one thread whatever is asked for. */
export async function openBackend(
  { backend, threads, without }: Pick<WorkerStart, "backend" | "threads" | "without">,
  program: Program,
  constants: ConstantSource,
): Promise<Engine> {
  if (backend === "reference") return openReference(program, constants);
  const { openWasmWith } = await import("@foldmark/machine");
  return openWasmWith(program, constants, { threads, without, memoryLimitBytes: memoryLimitBytes() });
}
