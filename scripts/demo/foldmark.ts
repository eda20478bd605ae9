// Runs the product's own commands as a user would, each in a process of its own.
import path from "node:path";
import { z } from "zod";
import { type Running, run, start } from "./processes.ts";

const FOLDMARK = path.resolve("packages/node/src/main.ts");
const GATEWAY = path.resolve("packages/gateway/src/main.ts");

const document = z.object({ ok: z.literal(true), data: z.json() });

/** `foldmark ARGS --json` under a home folder; its data. */
export async function foldmark(home: string, args: string[], onLine?: (line: string) => void): Promise<unknown> {
  const out = await foldmarkText(home, [...args, "--json"], onLine);
  return document.parse(JSON.parse(out.slice(out.lastIndexOf("\n") + 1))).data;
}

/** `foldmark ARGS` under a home folder, as a person runs it; its standard output. */
export const foldmarkText = (home: string, args: string[], onLine?: (line: string) => void): Promise<string> =>
  run(`foldmark ${args.slice(0, 2).join(" ")}`, [FOLDMARK, ...args], {
    env: { FOLDMARK_HOME: home },
    ...(onLine && { onLine }),
  });

/** `foldmark-gateway ARGS`; its standard output. */
export const gatewayCommand = (args: string[]): Promise<string> =>
  run(`foldmark-gateway ${args.slice(0, 2).join(" ")}`, [GATEWAY, ...args]);

/** Starts a long-running process of ours and waits for its ready line, a JSON log line with `event: "ready"`. */
export async function startServer<Schema extends z.ZodType>(
  name: string,
  { args, env, ready }: { args: string[]; env?: Record<string, string>; ready: Schema },
): Promise<{ process: Running; ready: z.output<Schema> }> {
  return start(name, args, {
    ...(env && { env }),
    ready: (line) => {
      if (!line.includes('"ready"')) return undefined;
      const parsed = ready.safeParse(jsonOrNothing(line));
      return parsed.success ? parsed.data : undefined;
    },
  });
}

export const providerArgs = (args: string[]) => [FOLDMARK, "start", ...args];
export const gatewayArgs = (args: string[]) => [GATEWAY, "start", ...args];

function jsonOrNothing(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
