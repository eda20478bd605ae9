import { ByteWriter } from "../bytes.ts";
import { MachineError } from "../errors.ts";
import { OPS } from "../ops.ts";
import type { Expr, Source } from "./expr.ts";

/** The numbers that a load of this source carries: [tensor], [stage, fold] or [fold]. */
export type NumbersOf = (op: "tensor" | "fold" | "now" | "prev", source: Source) => readonly number[];

/**
 * Writes an expression as postfix code. Values used more than once are computed first, lie at the bottom of the stack,
 * and are copied by `pick`; what is as short as a `pick` (variables, literals) is written again instead.
 */
export function assemble(root: Expr, numbersOf: NumbersOf): Uint8Array {
  const code = new ByteWriter();
  const placed = new Map<Expr, number>();
  let depth = 0;

  const write = (node: Expr): void => {
    const position = placed.get(node);
    if (position !== undefined) {
      code.u8(OPS.pick.code).u8(depth - 1 - position);
      depth++;
      return;
    }
    node.args.forEach(write);
    if (node.op === "literal") writeLiteral(code, node.value);
    else {
      code.u8(OPS[node.op].code);
      if ("source" in node) writeNumbers(code, node.op, numbersOf(node.op, node.source));
    }
    depth += 1 - node.args.length;
  };

  for (const shared of sharedValues(root)) {
    write(shared);
    placed.set(shared, depth - 1);
  }
  write(root);
  return code.done();
}

/** Values with more than one use, arguments before what uses them. */
function sharedValues(root: Expr): Expr[] {
  const uses = new Map<Expr, number>();
  const order: Expr[] = [];
  const visit = (node: Expr): void => {
    const seen = uses.get(node) ?? 0;
    uses.set(node, seen + 1);
    if (seen > 0) return;
    node.args.forEach(visit);
    order.push(node);
  };
  visit(root);
  return order.filter((node) => node.args.length > 0 && (uses.get(node) ?? 0) > 1);
}

function writeLiteral(code: ByteWriter, value: bigint): void {
  if (BigInt.asIntN(8, value) === value) code.u8(OPS.lit8.code).u8(Number(BigInt.asUintN(8, value)));
  else if (BigInt.asIntN(32, value) === value) code.u8(OPS.lit32.code).u32(Number(BigInt.asUintN(32, value)));
  else code.u8(OPS.lit64.code).i64(value);
}

function writeNumbers(code: ByteWriter, op: "tensor" | "fold" | "now" | "prev", numbers: readonly number[]): void {
  for (const [i, bytes] of OPS[op].immediates.entries()) {
    const number = numbers[i];
    if (number === undefined || number >= 256 ** bytes)
      throw new MachineError("machine.bad_load", `${op} cannot name number ${number}.`, { op, number });
    if (bytes === 1) code.u8(number);
    else code.u16(number);
  }
}
