import { MachineError } from "../../errors.ts";
import type { KernelFamily } from "../kernelFamily.ts";
import type { Kernels } from "../kernels.ts";
import type { Arena } from "../memory.ts";

/** A computation whose answer is known. It can be asked again and again: code changes while it warms up. */
export type KnownAnswer = {
  family: KernelFamily;
  /** @throws `machine.kernel_mismatch` */
  check(): void;
};

/** Where known answers are computed. Blocks that are taken from the arena stay taken. */
export type Bench = { arena: Arena; kernels: Kernels };

export const mismatch = (kernel: string, details: Record<string, unknown>): MachineError =>
  new MachineError("machine.kernel_mismatch", `The kernel ${kernel} computes wrong values on this machine.`, {
    kernel,
    ...details,
  });
