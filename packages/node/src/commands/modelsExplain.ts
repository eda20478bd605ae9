import { openWasmWith, type ProfiledFold, type Size, size, type WasmEngine } from "@foldmark/machine";
import { FoldmarkError } from "@foldmark/protocol";
import { callRequest, families, Generation, openPackage, runWhole } from "@foldmark/workloads";
import { type OpenedModel, openModel } from "../engine/openModel.ts";
import type { Command } from "./command.ts";
import { folderNamed, installedPackages } from "./installed.ts";
import { openConfig } from "./openNode.ts";
import { table } from "./table.ts";

/** What is computed to see where the time goes: long enough for every fold to matter, short enough to wait for. */
const CHAT = { promptTokens: 64, limit: 32, seed: 1n };
const CALL = { rate: 0.05, volatility: 0.2, maturity: 1, strike: 1, seed: 1n, blocks: 16 };

export const modelsExplain: Command = {
  name: "models explain",
  summary: "How this machine computes a model: kernel, range and share of the time of every fold",
  args: [{ name: "name", summary: "name of an installed model, or the folder of a package" }],
  async run(input) {
    const folder = folderNamed(
      String(input.args[0]),
      await installedPackages(input.context.home, await openConfig(input)),
    );
    const model = await openModel(folder);
    const { program, constants, manifest } = await openPackage(folder, { families, verify: "sizes" });
    const engine = await openWasmWith(program, constants, {});
    try {
      const folds = engine.profile(() => computeSample(engine, model, manifest));
      const total = folds.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
      const shared = folds.map((fold) => ({ ...fold, share: total === 0 ? 0 : fold.milliseconds / total }));
      return { data: { name: model.name, milliseconds: total, folds: shared.map(toJson) }, text: textOf(shared) };
    } finally {
      engine.close();
    }
  },
};

type SharedFold = ProfiledFold & { share: number };
type Served = Parameters<typeof runWhole>[1]["model"];

function computeSample(engine: WasmEngine, model: OpenedModel, served: Served): void {
  if (model.kind === "simulation") {
    const blocks = Math.min(CALL.blocks, model.context);
    runWhole(engine, { model: served, request: callRequest({ ...CALL, blocks }, { maxT: model.context }) });
    return;
  }
  const promptTokens = Math.min(CHAT.promptTokens, model.context >> 1);
  const request = model.probe({ ...CHAT, promptTokens, limit: Math.min(CHAT.limit, model.context - promptTokens) });
  const chat = request && model.readChat(request);
  if (!request || !chat) throw new FoldmarkError("model.unknown", `${model.name} has no sample request.`);
  using generation = Generation.start(engine, { model: served, request, ...chat });
  while (generation.next() !== undefined);
}

const toJson = ({ interval, ...fold }: SharedFold) => ({
  ...fold,
  interval: { lo: interval.lo.toString(), hi: interval.hi.toString() },
});

/** Every fold, then how the time is shared among the ways of computing. */
function textOf(folds: SharedFold[]): string {
  const rows = folds.map((fold) => [
    `${fold.stage}.${fold.fold}`,
    shapeOf(fold),
    fold.class,
    fold.kernel,
    `${fold.interval.lo} .. ${fold.interval.hi}`,
    percent(fold.share),
  ]);
  const kinds = Map.groupBy(folds, (fold) => `${fold.class}: ${fold.kernel}`);
  const summary = [...kinds]
    .map(([kind, of]) => ({ kind, folds: of.length, share: of.reduce((sum, { share }) => sum + share, 0) }))
    .sort((a, b) => b.share - a.share);
  return [
    table(["fold", "elements of a step", "class", "kernel", "range", "time"], rows),
    "",
    table(
      ["class and kernel", "folds", "time"],
      summary.map(({ kind, folds: count, share }) => [kind, String(count), percent(share)]),
    ),
  ].join("\n");
}

function shapeOf({ type, rows, cols, combine, axis }: SharedFold): string {
  const own = `${type}[${extent(rows)}, ${extent(cols)}]`;
  return combine === "none" ? own : `${own} ${combine} over ${extent(axis)}`;
}

function extent(encoded: Size): string {
  const n = size.n(encoded);
  switch (size.kind(encoded)) {
    case 0:
      return String(n);
    case 1:
      return n === 1 ? "T" : `T / ${n}`;
    default:
      return "t + 1";
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
