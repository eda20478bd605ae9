import { type DecodedExpression, decodeExpression, type Expression, isLoad, type Load } from "../expression.ts";
import { type ElementType, type Fold, type Program, type Size, type Stage, size, tensorsOf } from "../program.ts";

/** One operand of a fold: every load of the same tensor, or of the same fold in the same way, is one site. */
export type Site =
  | { via: "tensor"; tensor: number }
  /** `current`: loaded at the step that is being computed, so its address needs no step. */
  | { via: "fold"; stage: number; fold: number; current: boolean }
  | { via: "now" | "prev"; stage: number; fold: number; current: true };

/** Shape of an operand, as its declaration has it. */
export type Operand = { type: ElementType; rows: Size; cols: Size; order: 0 | 1 | 2; steps: Size };

/** A fold with its code decoded and its operands and literals numbered. */
export type FoldCode = {
  stage: number;
  fold: number;
  decl: Fold;
  order: Stage["order"];
  steps: Size;
  body: DecodedExpression;
  finish: DecodedExpression | undefined;
  sites: Site[];
  siteOf: ReadonlyMap<Load, number>;
  literals: bigint[];
  literalOf: ReadonlyMap<Expression, number>;
  /** Each row is kept with all its steps in one run. */
  rowsApart: boolean;
};

export function operandOf(program: Program, site: Site): Operand {
  if (site.via === "tensor") {
    const decl = tensorsOf(program)[site.tensor];
    if (decl === undefined) throw new RangeError(`no tensor ${site.tensor}`);
    return { ...decl, order: 0, steps: size.fixed(1) };
  }
  const stage = program.stages[site.stage];
  const fold = stage?.folds[site.fold];
  if (stage === undefined || fold === undefined) throw new RangeError(`no fold ${site.stage}.${site.fold}`);
  return { type: fold.type, rows: fold.rows, cols: fold.cols, order: stage.order, steps: stage.steps };
}

export function readFold(program: Program, stage: number, fold: number): FoldCode {
  const { order, steps, folds } = program.stages[stage] as Stage;
  const decl = folds[fold] as Fold;
  const place = { loop: order === 2, stage, fold };
  const body = decodeExpression(decl.body, { ...place, part: "body" });
  const finish = decl.finish.length === 0 ? undefined : decodeExpression(decl.finish, { ...place, part: "finish" });
  const sites: Site[] = [];
  const siteOf = new Map<Load, number>();
  const literals: bigint[] = [];
  const literalOf = new Map<Expression, number>();
  const known = new Map<string, number>();
  for (const node of [...body.nodes, ...(finish?.nodes ?? [])]) {
    if (node.op === "literal") literalOf.set(node, literals.push(node.value) - 1);
    if (!isLoad(node)) continue;
    const site = siteFor(program, node, { stage, steps });
    const key = JSON.stringify(site);
    const at = known.get(key) ?? sites.push(site) - 1;
    known.set(key, at);
    siteOf.set(node, at);
  }
  return { stage, fold, decl, order, steps, body, finish, sites, siteOf, literals, literalOf, rowsApart: false };
}

function siteFor(program: Program, load: Load, own: { stage: number; steps: Size }): Site {
  if (load.op === "tensor") return { via: "tensor", tensor: load.tensor };
  if (load.op === "fold") {
    const current = load.args[0]?.op === "t" && program.stages[load.stage]?.steps === own.steps;
    return { via: "fold", stage: load.stage, fold: load.fold, current };
  }
  return { via: load.op, stage: own.stage, fold: load.fold, current: true };
}

/**
 * Folds with equal shapes share one function: code, sizes and the shapes of operands, without the numbers of tensors and
 * stages and without the values of literals. `note` separates folds that are compiled differently for another reason.
 */
export function shapeKey(program: Program, code: FoldCode, note: string): string {
  const { decl, order, steps, body, finish, sites, siteOf } = code;
  const written = (expression: DecodedExpression | undefined) => {
    if (expression === undefined) return "";
    const number = new Map(expression.nodes.map((node, at) => [node, at]));
    const nodes = expression.nodes.map((node) => [
      node.op,
      ...(isLoad(node) ? [siteOf.get(node)] : []),
      ...node.args.map((arg) => number.get(arg)),
    ]);
    return `${nodes.join(";")}=${number.get(expression.root)}`;
  };
  const operands = sites.map((site) => {
    const { type, rows, cols, order: layout, steps: length } = operandOf(program, site);
    const current = site.via === "tensor" ? "" : site.current;
    return [site.via, current, type, rows, cols, layout, length].join(",");
  });
  const shape = [decl.type, decl.rows, decl.cols, decl.combine, decl.axis, order, steps].join(",");
  return [shape, operands.join("|"), written(body), written(finish), note].join("#");
}

/**
 * The literals that indices of loads are computed with. Folds that differ in them are compiled apart where there are few
 * such sets: what is known of an index decides whether it must be clamped.
 */
export function indexLiterals({ body, finish, literals, literalOf }: FoldCode): string {
  const found = new Set<Expression>();
  const visit = (node: Expression) => {
    for (const arg of node.args) {
      if (arg.op === "literal") found.add(arg);
      else if (!found.has(arg)) visit(arg);
    }
  };
  for (const node of [...body.nodes, ...(finish?.nodes ?? [])])
    if (isLoad(node)) for (const index of node.args) visit(index);
  return [...found].map((node) => literals[literalOf.get(node) as number]).join();
}
