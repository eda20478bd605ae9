import type { Position } from "@foldmark/machine";
import { FoldmarkError } from "@foldmark/protocol";
import type { Hex } from "viem";
import type { z } from "zod";
import { placeOf } from "../game/place.ts";
import { ACCESS_HEADER, ACCESS_SECONDS, signAccess } from "./treeAccess.ts";
import type { TreeSource } from "./treeSource.ts";
import { leafResponseCodec, MAX_DEPTH, nodesResponseCodec } from "./treeWire.ts";

/** Longest that a node may take for one answer: it may have to compute the job again. */
const ANSWER_MS = 600_000;
/** 256 hashes in base64 are 12 kB. */
const ANSWER_BYTES = 65_536;

export type TreeClientOptions = {
  /** Where the payee's node listens, as the chain says. */
  endpoint: string;
  id: Hex;
  answerDigest: Hex;
  signer: Parameters<typeof signAccess>[0];
  /** Chain time in unix seconds. */
  now(): Promise<bigint>;
  /** Fetches from what the chain names; whoever runs for others refuses private addresses in it. */
  fetch?: typeof globalThis.fetch;
};

/** Asks the payee's node for its tree. @throws `provider.*` where it does not show it */
export function treeClient({
  endpoint,
  id,
  answerDigest,
  signer,
  now,
  fetch = globalThis.fetch,
}: TreeClientOptions): TreeSource {
  let access: { header: string; until: bigint } | undefined;

  async function header(): Promise<string> {
    const time = await now();
    if (!access || access.until < time + ACCESS_SECONDS / 2n) {
      const until = time + ACCESS_SECONDS - 60n; // the node's clock may be behind ours
      access = { until, header: await signAccess(signer, { id, until }) };
    }
    return access.header;
  }

  async function ask<Codec extends z.ZodType>(
    path: string,
    codec: Codec,
    { body, signal }: { body: unknown; signal: AbortSignal | undefined },
  ): Promise<z.output<Codec>> {
    const text = await post(new URL(`/v1/disputes/${answerDigest}/${path}`, endpoint), JSON.stringify(body), signal);
    try {
      return codec.parse(JSON.parse(text));
    } catch (cause) {
      throw new FoldmarkError("provider.malformed", `${endpoint} answered something else than was asked for.`, {
        cause,
      });
    }
  }

  async function post(url: URL, body: string, given: AbortSignal | undefined): Promise<string> {
    const headers = { "content-type": "application/json", [ACCESS_HEADER]: await header() };
    let response: Response;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(given ? [given] : [])]);
      response = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
    } catch (cause) {
      throw new FoldmarkError("provider.unreachable", `${endpoint} does not answer.`, { cause });
    }
    const text = await readAtMost(response, ANSWER_BYTES);
    if (response.ok && text !== undefined) return text;
    throw new FoldmarkError("provider.malformed", `${endpoint} does not show its tree (${response.status}).`, {
      details: { status: response.status },
    });
  }

  return {
    async nodes(under: Position, signal?: AbortSignal) {
      const depth = Math.min(MAX_DEPTH, under.height);
      const { nodes } = await ask("nodes", nodesResponseCodec, {
        body: { places: [{ ...placeOf(under), depth }] },
        signal,
      });
      return { position: under, depth, nodes: nodes[0] ?? [] };
    },
    async leaf(at, signal) {
      const { data } = await ask("leaf", leafResponseCodec, { body: { place: placeOf(at) }, signal });
      return { position: at, data };
    },
  };
}

/** The body as text; undefined where it is longer. */
async function readAtMost(response: Response, bytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > bytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
