import type { Command } from "./command.ts";
import { installedPackages } from "./installed.ts";
import { openConfig } from "./openNode.ts";
import { table } from "./table.ts";

export const modelsList: Command = {
  name: "models list",
  summary: "Model packages on this machine, and which of them are served",
  async run(input) {
    const models = await installedPackages(input.context.home, await openConfig(input));
    const rows = models.map(({ name, kind, asset, licence, sizeBytes, isServed }) => [
      ...[name, kind, licence, `${(sizeBytes / 1e6).toFixed(1)} MB`, isServed ? "served" : "-", asset],
    ]);
    return {
      data: { models },
      text:
        rows.length === 0
          ? "no models; run `foldmark models fetch default` or `foldmark models import FILE.gguf`"
          : table(["model", "kind", "licence", "size", "state", "asset"], rows),
    };
  },
};
