import { type DecodedExpression, type Expression, isLoad, type Load } from "../expression.ts";
import { BYTES, type Size, size, sizeAt } from "../program.ts";
import { MATRIX_FORMS, type MatrixFormName } from "./dots/matrixForm.ts";
import { Graph, type Node } from "./graph.ts";
import { clampInto, I64, ofType, type Range, range, within } from "./ranges.ts";
import type { FoldCode, Operand, Site } from "./sites.ts";

/** What is known of an operand besides its shape. */
export type OperandFacts = Operand & {
  range: Range;
  /** Stored as panels of a form of matrix products. */
  packed?: { form: MatrixFormName; panelBytes: number } | undefined;
  /** Each row is kept with all its steps in one run. */
  rowsApart: boolean;
  /** Loads record whether the step they read was computed. */
  checked: boolean;
};

/** A literal that all folds of a group share, or the range of those that differ. */
export type LiteralFacts = { range: Range };

export type LoweringOptions = {
  maxT: number;
  operands: OperandFacts[];
  literals: LiteralFacts[];
  /** The sum over k was computed by a dot kernel: its range, and whether the sums are i64. */
  sums?: { range: Range; wide: boolean } | undefined;
  /** Never compute a load in an outer loop: in a stage whose loads are checked, only what is selected may be read. */
  loadsStay: boolean;
};

export type Extent = { size: Size; max: number };

export type Lowered = {
  graph: Graph;
  rows: Extent;
  cols: Extent;
  axis: Extent | undefined;
  /** The term of a sum or argmax. */
  term: Node | undefined;
  /** The element before saturation. Undefined for argmax. */
  element: Node | undefined;
  /** Range of the stored element. */
  stored: Range;
  outAddress: Node;
  /** Address of the first column of a row, where the columns of a row are neighbours. */
  outRowAddress: Node | undefined;
};

/** Turns a fold's expressions into values with ranges, levels and addresses. */
export function lowerFold(code: FoldCode, options: LoweringOptions): Lowered {
  const { decl, order, steps } = code;
  const { maxT } = options;
  const graph = new Graph();
  const extent = (encoded: Size): Extent => ({ size: encoded, max: largest(encoded, steps, maxT) });
  const below = (encoded: Size) => ({ range: range(0n, BigInt(largest(encoded, steps, maxT)) - 1n), below: encoded });
  const summed = options.sums !== undefined;
  const axis = decl.combine === "none" || summed ? undefined : extent(decl.axis);

  const t = graph.parameter({ kind: "t" }, below(steps));
  const r = graph.variable("r", 1, below(decl.rows));
  const c = graph.variable("c", 2, below(decl.cols));
  const k = axis === undefined ? graph.literal(0n) : graph.variable("k", 3, below(decl.axis));
  const variables = { t, r, c, k };
  const place = new Addresses(graph, code, options, t);

  const translate = (expression: DecodedExpression, acc: Node | undefined): Node => {
    const values = new Map<Expression, Node>();
    const at = (node: Expression) => values.get(node) as Node;
    for (const node of expression.nodes) {
      const args = node.args.map(at);
      values.set(
        node,
        isLoad(node) ? place.load(node, args, acc === undefined && axis !== undefined) : value(node, args, acc),
      );
    }
    return at(expression.root);
  };
  const value = (node: Exclude<Expression, Load>, args: Node[], acc: Node | undefined): Node => {
    switch (node.op) {
      case "literal": {
        const literal = code.literalOf.get(node) as number;
        return graph.parameter({ kind: "literal", literal }, options.literals[literal] as LiteralFacts);
      }
      case "T":
        return graph.parameter({ kind: "T" }, { range: range(1n, BigInt(maxT)) });
      case "acc":
        return acc as Node;
      case "t":
      case "r":
      case "c":
      case "k":
        return variables[node.op];
      default:
        return arithmetic(graph, node.op, args);
    }
  };

  const bytes = BYTES[decl.type];
  const outRow = graph.wrap(r);
  const outCol = graph.wrap(c);
  const contiguous = order !== 1;
  const outRowAddress = graph.sum32([
    graph.address({ kind: "out" }),
    contiguous && size.kind(decl.cols) === 0 && !code.rowsApart
      ? graph.scale32(outRow, size.n(decl.cols) * bytes)
      : graph.mul32(outRow, graph.address({ kind: "outRowStride" })),
  ]);
  const outAddress = graph.sum32([
    outRowAddress,
    contiguous ? graph.scale32(outCol, bytes) : graph.mul32(outCol, graph.address({ kind: "outColStride" })),
  ]);
  const shape = {
    graph,
    rows: extent(decl.rows),
    cols: extent(decl.cols),
    axis,
    outAddress,
    outRowAddress: contiguous ? outRowAddress : undefined,
  };

  if (options.sums !== undefined) {
    const columns = size.n(decl.cols);
    const type = options.sums.wide ? "i64" : "i32";
    const outer = [graph.address({ kind: "sums" }), graph.scale32(outRow, columns * BYTES[type])];
    const address = graph.sum32([...outer, graph.scale32(outCol, BYTES[type])]);
    const acc = graph.load(type, address, { range: options.sums.range, runs: { c: graph.sum32(outer) } });
    const element = code.finish === undefined ? acc : translate(code.finish, acc);
    return { ...shape, term: undefined, element, stored: clampInto(element.range, ofType[decl.type]) };
  }
  const term = translate(code.body, undefined);
  switch (decl.combine) {
    case "argmax":
      return { ...shape, term, element: undefined, stored: range(0n, BigInt((axis as Extent).max) - 1n) };
    case "sum": {
      const acc = graph.accumulator(sumRange(term.range, axis as Extent));
      const element = code.finish === undefined ? acc : translate(code.finish, acc);
      return { ...shape, term, element, stored: clampInto(element.range, ofType[decl.type]) };
    }
    case "none": {
      const element = code.finish === undefined ? term : translate(code.finish, term);
      return { ...shape, term: undefined, element, stored: clampInto(element.range, ofType[decl.type]) };
    }
  }
}

/** The largest value of a size over all jobs and steps. */
export function largest(encoded: Size, steps: Size, maxT: number): number {
  const last = sizeAt(steps, { t: 0, T: maxT }) - 1;
  return sizeAt(encoded, { t: last, T: maxT });
}

function sumRange(term: Range, axis: Extent): Range {
  const most = BigInt(axis.max);
  const least = size.kind(axis.size) === 0 ? most : 1n;
  const lo = term.lo < 0n ? term.lo * most : term.lo * least;
  const hi = term.hi > 0n ? term.hi * most : term.hi * least;
  return lo < I64.lo || hi > I64.hi ? I64 : range(lo, hi);
}

/** Rewrites an operation into cheaper ones where ranges allow it; shift counts come out in 0..63. */
export function arithmetic(graph: Graph, op: Parameters<Graph["apply"]>[0], args: Node[]): Node {
  const [a, b, s] = args;
  if (a === undefined) throw new RangeError(`${op} without operands`);
  if (op === "lt") return lessThan(graph, a, b as Node);
  if (op === "shl" || op === "shr") return graph.apply(op, [a, clampCount(graph, b as Node)]);
  if (op !== "mulshr") return graph.apply(op, args);
  const count = clampCount(graph, s as Node);
  const product = graph.apply("mul", [a, b as Node]);
  const exact = productFits(a.range, (b as Node).range);
  return exact ? graph.apply("shr", [product, count]) : graph.apply("mulshr", [a, b as Node, count]);
}

const clampCount = (graph: Graph, count: Node): Node =>
  graph.apply("min", [graph.apply("max", [count, graph.literal(0n)]), graph.literal(63n)]);

/** Clamps the side that changes in outer loops only to the range of the other, where that makes a comparison of 32 bits. */
function lessThan(graph: Graph, a: Node, b: Node): Node {
  const isNarrow = ({ range: values }: Node) => within(values, ofType.i32);
  const clamped = (value: Node, lo: bigint, hi: bigint) => {
    const result = graph.apply("min", [graph.apply("max", [value, graph.literal(lo)]), graph.literal(hi)]);
    return isNarrow(result) ? result : value;
  };
  if (b.level < a.level && isNarrow(a) && !isNarrow(b))
    return graph.apply("lt", [a, clamped(b, a.range.lo, a.range.hi + 1n)]);
  if (a.level < b.level && isNarrow(b) && !isNarrow(a))
    return graph.apply("lt", [clamped(a, b.range.lo - 1n, b.range.hi), b]);
  return graph.apply("lt", [a, b]);
}

const productFits = (a: Range, b: Range): boolean =>
  [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi].every((value) => value >= I64.lo && value <= I64.hi);

/** Addresses of loads: clamped indices times strides, split into terms by the loop in which they change. */
class Addresses {
  readonly #graph: Graph;
  readonly #code: FoldCode;
  readonly #options: LoweringOptions;
  readonly #t: Node;

  constructor(graph: Graph, code: FoldCode, options: LoweringOptions, t: Node) {
    this.#graph = graph;
    this.#code = code;
    this.#options = options;
    this.#t = t;
  }

  /** `inLoop`: the load stands in the body of a sum or argmax. */
  load(node: Load, args: Node[], inLoop: boolean): Node {
    const graph = this.#graph;
    const site = this.#code.siteOf.get(node) as number;
    const operand = this.#options.operands[site] as OperandFacts;
    const { via } = this.#code.sites[site] as Site;
    const [row, col] = args.slice(-2) as [Node, Node];
    const terms = [graph.address({ kind: "base", site })];
    let presence: Node | undefined;

    // the step whose own sizes bound row and column; undefined where no size depends on it
    let step: Node = this.#t;
    if (via === "fold" && !this.#isCurrent(site)) {
      step = this.#clamp(args[0] as Node, operand.steps);
      const bytes = BYTES[operand.type];
      // time innermost, or one element a step: neighbouring steps are neighbouring elements
      const isSeries = operand.order === 1 || (operand.rows === 1 && operand.cols === 1);
      if (isSeries) terms.push(...this.#scaled(step, bytes));
      else terms.push(graph.mul32(graph.wrap(step), graph.address({ kind: "stepStride", site })));
    } else if (via === "prev") {
      step = graph.apply("max", [graph.apply("sub", [this.#t, graph.literal(1n)]), graph.literal(0n)]);
    }

    if (operand.checked) presence = graph.sum32([graph.address({ kind: "presence", site }), graph.wrap(step)]);
    const own = this.#clamp(row, operand.rows);
    const column = size.kind(operand.cols) === 2 ? this.#clampHistory(col, step) : this.#clamp(col, operand.cols);
    const { packed } = operand;
    const form = packed && MATRIX_FORMS[packed.form];
    if (packed !== undefined && form !== undefined)
      terms.push(...form.address(graph, { row: own, column, panelBytes: packed.panelBytes }));
    else terms.push(...this.#row(site, operand, own), ...this.#column(site, operand, column));

    const address = graph.sum32(terms);
    const bytes = BYTES[operand.type];
    const runs = {
      r: this.#runOver("r", terms, bytes),
      c: this.#runOver("c", terms, bytes),
      k: this.#runOver("k", terms, bytes),
    };
    const known = { range: operand.range, runs, presence };
    const isLate = !inLoop && this.#code.decl.combine === "sum";
    const stays = this.#options.loadsStay ? ({ atLeast: inLoop ? 3 : 2, late: isLate } as const) : {};
    const stored = graph.load(operand.type, address, { ...known, ...stays });
    return form === undefined ? stored : form.value(graph, stored, own);
  }

  #isCurrent(site: number): boolean {
    const known = this.#code.sites[site] as Site;
    return known.via === "fold" && known.current;
  }

  #clamp(index: Node, bound: Size): Node {
    const graph = this.#graph;
    const low = graph.apply("max", [index, graph.literal(0n)]);
    if (low.below === bound || (low.below === size.history && bound === this.#code.steps)) return low;
    const most = largest(bound, this.#code.steps, this.#options.maxT);
    const smallest = size.kind(bound) === 0 ? most : 1;
    if (low.range.hi < BigInt(smallest)) return low;
    if (size.kind(bound) === 0) return graph.apply("min", [low, graph.literal(BigInt(most - 1))]);
    const extent = graph.parameter({ kind: "size", size: bound }, { range: range(1n, BigInt(most)) });
    return graph.apply("min", [low, graph.apply("sub", [extent, graph.literal(1n)])]);
  }

  /** Columns of a history fold: 0..step of the step that is loaded; nothing is there before step 0. */
  #clampHistory(index: Node, step: Node): Node {
    const graph = this.#graph;
    const low = graph.apply("max", [index, graph.literal(0n)]);
    if (step === this.#t && low.below === size.history) return low;
    return graph.apply("min", [low, step]);
  }

  #row(site: number, operand: OperandFacts, row: Node): Node[] {
    const graph = this.#graph;
    const bytes = BYTES[operand.type];
    if (row.op === "literal" && row.value === 0n) return [];
    if (operand.order !== 1 && size.kind(operand.cols) === 0 && !operand.rowsApart)
      return this.#scaled(row, size.n(operand.cols) * bytes);
    return [graph.mul32(graph.wrap(row), graph.address({ kind: "rowStride", site }))];
  }

  #column(site: number, operand: OperandFacts, col: Node): Node[] {
    const graph = this.#graph;
    if (col.op === "literal" && col.value === 0n) return [];
    if (operand.order !== 1) return this.#scaled(col, BYTES[operand.type]);
    return [graph.mul32(graph.wrap(col), graph.address({ kind: "colStride", site }))];
  }

  /** Index times a constant, a sum taken apart so that its parts can leave inner loops. Exact modulo 2^32. */
  #scaled(index: Node, factor: number): Node[] {
    const [a, b] = index.args;
    if (index.op === "add" && a !== undefined && b !== undefined && a.level !== b.level)
      return [...this.#scaled(a, factor), ...this.#scaled(b, factor)];
    return [this.#graph.scale32(this.#graph.wrap(index), factor)];
  }

  /** The address where the variable is 0, if the rest of it changes in outer loops only. */
  #runOver(variable: "r" | "c" | "k", terms: Node[], bytes: number): Node | undefined {
    const level = { r: 1, c: 2, k: 3 }[variable];
    const [outer, inner] = [terms.filter((term) => term.level < level), terms.filter((term) => term.level >= level)];
    const [growing] = inner;
    if (inner.length !== 1 || growing === undefined) return undefined;
    const index =
      bytes === 1 ? growing : growing.op === "scale32" && growing.factor === bytes ? growing.args[0] : undefined;
    return index?.op === "wrap" && index.args[0]?.op === variable ? this.#graph.sum32(outer) : undefined;
  }
}
