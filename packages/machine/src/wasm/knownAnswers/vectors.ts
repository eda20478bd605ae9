import { elementBytes, readElement, saturate } from "../../elements.ts";
import { BYTES, size } from "../../program.ts";
import { arithmetic as reference } from "../../reference/arithmetic.ts";
import { type AsmFunction, defineFunction, i32, i64, instantiate, type Local, local, loopWhileBelow } from "../asm.ts";
import { Graph, type Node, type Runs } from "../graph.ts";
import { arithmetic } from "../lower.ts";
import { clampInto, ofType, range } from "../ranges.ts";
import { VECTOR_LANES, type VectorLoop, vectorValues } from "../vectorForm.ts";
import { VectorEmitter } from "../vectors/emitter.ts";
import { webAssembly } from "../webassembly.ts";
import { type Algebra, FORMULAS, type Formula } from "./formulas.ts";
import { type KnownAnswer, mismatch } from "./knownAnswer.ts";

type Width = "i16" | "i32" | "i64";

/** Numbers at which lanes carry, saturate or change their sign. */
const EDGES = [
  0n,
  1n,
  -1n,
  5n,
  0x7fffn,
  -0x8000n,
  0x7fff_ffffn,
  -0x8000_0000n,
  0x1_0000_0001n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  0x1234_5678_9abc_def0n,
];
const PAGE_BYTES = 65_536;
const LOOP: VectorLoop = { variable: "k", level: 3 };

/**
 * Each formula in lanes of each width, over all pairs of edges. They are compiled once for all engines of a thread, over a
 * memory of their own: that takes longer than to ask them.
 */
export const vectorAnswers = (): KnownAnswer[] => {
  answers ??= (["i16", "i32", "i64"] as const).map(answerOf);
  return answers;
};
let answers: KnownAnswer[] | undefined;

function answerOf(width: Width): KnownAnswer {
  const operands = pairs(width);
  const listBytes = operands.length * 8;
  const pages = Math.ceil(((3 + FORMULAS.length) * listBytes) / PAGE_BYTES);
  const memory = new webAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = new Uint8Array(memory.buffer);
  const compiled = instantiate(memory, { formulas: formulasIn(width, operands.length) });
  for (const i of [0, 1, 2]) {
    const list = elementBytes(
      width,
      operands.map((args) => args[i] as bigint),
    );
    bytes.set(list, i * listBytes);
  }
  const expected = FORMULAS.map((formula) => resultsOf(formula, operands));
  const check = () => {
    bytes.fill(0, 3 * listBytes);
    compiled.formulas?.(0, 3 * listBytes);
    for (const [f, { what, type = "i64" }] of FORMULAS.entries()) {
      const results = bytes.subarray((3 + f) * listBytes, (4 + f) * listBytes);
      for (const [at, args] of operands.entries()) {
        const actual = readElement(type, results, at);
        if (actual !== expected[f]?.[at])
          throw mismatch(`vectors of ${width}`, { what, operands: args.map(String), actual: String(actual) });
      }
    }
  };
  return { family: "vectors", check };
}

/** All pairs of edges as far as they fit the width, with a third number besides. */
function pairs(width: Width): [bigint, bigint, bigint][] {
  const edges = [...new Set(EDGES.map((edge) => clampInto(range(edge, edge), ofType[width]).lo))];
  while (edges.length % VECTOR_LANES !== 0) edges.push(BigInt(edges.length) * 77n);
  return edges.flatMap((a, i) =>
    edges.map((b, j): [bigint, bigint, bigint] => [a, b, edges[(i + j) % edges.length] as bigint]),
  );
}

function resultsOf({ write, type = "i64" }: Formula, operands: [bigint, bigint, bigint][]): bigint[] {
  const on: Algebra<bigint> = {
    literal: (value) => value,
    apply(op, args) {
      const operation: (...operands: bigint[]) => bigint = reference[op];
      return operation(...args);
    },
    at: (index) => operands[Number(index)]?.[0] as bigint,
  };
  return operands.map(([a, b, c], k) => saturate(type, write(on, { a, b, c, k: BigInt(k) })));
}

/** A function that computes every formula for `count` operands; their three lists lie `count` times 8 bytes apart. */
function formulasIn(width: Width, count: number): AsmFunction {
  return defineFunction({ in: ["i32", "i32"], out: [] }, ([source, out], locals) => {
    const graph = new Graph();
    const addresses = [0, 1, 2].map((site) => graph.address({ kind: "base", site }));
    const k = graph.variable("k", LOOP.level, { range: range(0n, BigInt(count) - 1n), below: size.fixed(count) });
    const load = (address: Node, index: Node, runs: Runs) => {
      const offsets = index.op === "add" ? index.args : [index];
      const terms = offsets.map((offset) => graph.scale32(graph.wrap(offset), BYTES[width]));
      return graph.load(width, graph.sum32([address, ...terms]), { range: ofType[width], runs });
    };
    const [a, b, c] = addresses.map((address) => load(address, k, { k: address })) as [Node, Node, Node];
    const on: Algebra<Node> = {
      literal: (value) => graph.literal(value),
      apply: (op, args) => arithmetic(graph, op, args),
      at: (index) => load(addresses[0] as Node, index, {}),
    };
    const counters = { r: locals.i32(), c: locals.i32(), k: locals.i32() };
    const scalar = (node: Node): void => {
      if (node.op === "literal") i64.const(node.value);
      else if (node.op === "slot32") i32.add(source as Local<"i32">, addresses.indexOf(node) * count * 8);
      else for (const arg of node.args) scalar(arg);
      if (node.op === "wrap") i32.wrap_i64();
      if (node.op === "add32") i32.add();
      if (node.op !== "scale32") return;
      i32.const(node.factor);
      i32.mul();
    };
    for (const [f, { write, type = "i64" }] of FORMULAS.entries()) {
      const root = write(on, { a, b, c, k });
      const values = vectorValues([root], LOOP) ?? { inside: [], outside: [] };
      const vectors = new VectorEmitter({ locals, loop: LOOP, counters, scalar });
      vectors.prepare(values);
      const end = locals.i32();
      local.set(end, i32.const(count));
      local.set(counters.k, i32.const(0));
      loopWhileBelow(counters.k, end, VECTOR_LANES, () => {
        for (const node of values.inside) vectors.compute(node);
        vectors.store(root, type, () => {
          i32.mul(counters.k, BYTES[type]);
          i32.add(out as Local<"i32">, f * count * 8);
          i32.add();
        });
      });
    }
  });
}
