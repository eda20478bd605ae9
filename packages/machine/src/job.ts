import type { ConstantSource, Job, TensorBytes } from "./engine.ts";
import { MachineError } from "./errors.ts";
import { BYTES, type Program, sizeAt, type TensorDecl } from "./program.ts";

/** Bytes of a tensor in a job of T steps. */
export const tensorByteLength = ({ type, rows, cols }: TensorDecl, T: number): number =>
  sizeAt(rows, { t: 0, T }) * sizeAt(cols, { t: 0, T }) * BYTES[type];

/** Reads a constant, if it can be into a place for it, and checks its length. @throws `machine.bad_constant` */
export function readConstant(
  program: Program,
  source: ConstantSource,
  constant: number,
  into?: Uint8Array,
): TensorBytes {
  const bytes = source(constant, into);
  const declared = program.constants[constant];
  const wanted = declared ? tensorByteLength(declared, 1) : 0;
  if (bytes.length === wanted) return bytes;
  const message = `Constant ${constant} has ${bytes.length} bytes, the program says ${wanted}.`;
  throw new MachineError("machine.bad_constant", message, { constant, length: bytes.length, wanted });
}

/** Reads every constant. @throws `machine.bad_constant` */
export const loadConstants = (program: Program, source: ConstantSource): TensorBytes[] =>
  program.constants.map((_, index) => readConstant(program, source, index));

/** Checks T and the length of every tensor of a job. @throws `machine.bad_job` naming the tensor */
export function checkJob(program: Program, { T, request, claimed }: Job): void {
  if (!Number.isInteger(T) || T < 1 || T > program.maxT)
    throw new MachineError("machine.bad_job", `T is ${T}, 1 to ${program.maxT} is allowed.`, { T, maxT: program.maxT });
  checkTensors("request", program.requests, request, T);
  checkTensors("claimed", program.claimed, claimed, T);
}

/** Checks the request of a session, which does not know its T yet. @throws `machine.bad_job` naming the tensor */
export const checkRequest = (program: Program, request: TensorBytes[]): void =>
  checkTensors("request", program.requests, request, 1);

function checkTensors(kind: "request" | "claimed", decls: TensorDecl[], tensors: TensorBytes[], T: number): void {
  if (tensors.length !== decls.length)
    throw new MachineError(
      "machine.bad_job",
      `The job has ${tensors.length} ${kind} tensors, the program ${decls.length}.`,
      {
        kind,
        count: tensors.length,
        wanted: decls.length,
      },
    );
  for (const [index, decl] of decls.entries()) {
    const length = tensors[index]?.length;
    const wanted = tensorByteLength(decl, T);
    if (length !== wanted)
      throw new MachineError(
        "machine.bad_job",
        `${kind} tensor ${index} has ${length} bytes, ${wanted} are wanted at T = ${T}.`,
        {
          kind,
          index,
          length,
          wanted,
          T,
        },
      );
  }
}
