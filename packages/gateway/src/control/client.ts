import { readFile } from "node:fs/promises";
import path from "node:path";
import { FoldmarkError } from "@foldmark/protocol";
import { z } from "zod";
import { CONTROL_FILE } from "./server.ts";

const address = z.strictObject({ url: z.url(), token: z.string() });

export type ControlRequest = { method: "GET" | "POST"; path: string; body?: unknown };

/**
 * Hands a command to the gateway that has a data folder open.
 * @throws `store.locked` where no gateway takes commands for the folder, `config.invalid` with what it refuses
 */
export async function askRunning(folder: string, { method, path: route, body }: ControlRequest): Promise<unknown> {
  const { url, token } = await controlOf(folder);
  const response = await fetch(`${url}${route}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw new FoldmarkError("store.locked", `The gateway that uses ${folder} does not answer.`, { cause });
  });
  const answer = (await response.json()) as { error?: { message: string } };
  if (response.ok) return answer;
  throw new FoldmarkError("config.invalid", answer.error?.message ?? `The gateway answered ${response.status}.`);
}

async function controlOf(folder: string) {
  try {
    return address.parse(JSON.parse(await readFile(path.join(folder, CONTROL_FILE), "utf8")));
  } catch (cause) {
    throw new FoldmarkError("store.locked", `The data folder ${folder} is in use, and takes no commands.`, {
      cause,
      hint: "Try again when the gateway has started, or stop the process that uses it.",
    });
  }
}
