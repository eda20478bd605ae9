import { type AsmFunction, defineFunction, type Local, type Locals, type ValueKind } from "../asm.ts";

/** A function of i32 operands that are known by their names, in the order in which it takes them. */
export function defineKernel<Name extends string>(
  names: readonly Name[],
  out: ValueKind[],
  body: (operands: Record<Name, Local<"i32">>, locals: Locals) => void,
): AsmFunction {
  return defineFunction({ in: names.map(() => "i32"), out }, (args, locals) => {
    const operands = Object.fromEntries(names.map((name, at) => [name, args[at]]));
    body(operands as Record<Name, Local<"i32">>, locals);
  });
}
