import { createLogger } from "@foldmark/service";
import { startNode } from "../node.ts";
import { tillSignal } from "../signals.ts";
import { terminalLines } from "../terminalLines.ts";
import { type Command, OPTION } from "./command.ts";
import { openConfig, openKey } from "./openNode.ts";

export const start: Command = {
  name: "start",
  summary: "Serve until told to stop (SIGTERM drains, a second signal stops at once)",
  options: [
    ...[
      OPTION.listen,
      OPTION.endpoint,
      OPTION.model,
      OPTION.rpc,
      OPTION.deployment,
      OPTION.passwordFile,
      OPTION.logLevel,
    ],
  ],
  async run(input) {
    const { context } = input;
    const config = await openConfig(input);
    const log = createLogger({
      ...{ name: "node", level: config.log.level },
      ...(context.isInteractive ? { destination: terminalLines(context.err) } : {}),
    });
    const node = await startNode({ home: context.home, config, key: await openKey(config) }, { log });
    const { payee, operator, instance, url, port, endpoint, models } = node;
    log.info({ event: "ready", pid: process.pid, payee, operator, instance, url, port, endpoint, models }, "serving");
    const signal = await tillSignal({
      onFirst: (name) => {
        log.info({ signal: name }, "draining: streams finish, nothing new is taken");
        return node.drain();
      },
      onSecond: () => node.close(),
    });
    log.info({ signal }, "stopped");
    return { data: { stoppedBy: signal }, text: "" };
  },
};
