import { FoldmarkError, isSameAddress } from "@foldmark/protocol";
import express, { type Request, Router } from "express";
import { z } from "zod";
import type { Defender } from "../defender.ts";
import { placeOf, positionAt } from "../game/place.ts";
import { ACCESS_HEADER, ACCESS_SECONDS, readAccess } from "./treeAccess.ts";
import { leafRequestSchema, leafResponseCodec, nodesRequestSchema, nodesResponseCodec } from "./treeWire.ts";

export type TreeRouteDeps = {
  disputes: Pick<Defender, "challenge" | "traceOf">;
  /** Chain time in unix seconds. */
  now(): bigint;
};

/** Questions of one challenge that may wait at a time: each may take as long as the answer did. */
const MOST_WAITING = 2;
/** Of all challenges together: a move of the defence waits for no more of them than this. */
const MOST_IN_ALL = 4;

/**
 * Shows the tree of a disputed answer to whoever disputes it, so that a true lie is refuted in one transaction. Only while
 * the challenge is open, only to its challenger, and only what is asked for.
 */
export function treeRoute({ disputes, now }: TreeRouteDeps): Router {
  const waiting = new Map<string, number>();
  let inAll = 0;

  /** One question, among few at a time. */
  async function show<Shown>(request: Request, work: (of: Asked) => Promise<Shown>): Promise<Shown> {
    const asked = await authorise(request);
    const count = waiting.get(asked.id) ?? 0;
    if (count >= MOST_WAITING || inAll >= MOST_IN_ALL)
      throw new FoldmarkError(
        "node.busy",
        `${count} questions of this dispute and ${inAll} in all are being answered.`,
        {
          details: { retryAfterSeconds: 1 },
        },
      );
    waiting.set(asked.id, count + 1);
    inAll++;
    try {
      return await work(asked);
    } finally {
      inAll--;
      waiting.set(asked.id, (waiting.get(asked.id) ?? 1) - 1);
      if (waiting.get(asked.id) === 0) waiting.delete(asked.id);
    }
  }

  async function authorise(request: Request) {
    const access = await readAccess(request.get(ACCESS_HEADER));
    const challenge = disputes.challenge(access.id);
    const isOfPath = challenge?.answerDigest === request.params.answerDigest;
    if (!challenge || !isOfPath)
      throw new FoldmarkError("answer.unknown", "There is no such open challenge of an answer that this node defends.");
    const at = now();
    if (!isSameAddress(access.signer, challenge.challenger) || access.until < at || access.until > at + ACCESS_SECONDS)
      throw new FoldmarkError(
        "auth.not_allowed",
        "Only the challenger is shown the tree, by a signature of the last hour.",
        {
          details: { signer: access.signer, until: access.until.toString(), now: at.toString() },
        },
      );
    return challenge;
  }
  type Asked = Awaited<ReturnType<typeof authorise>>;

  return Router()
    .use("/v1/disputes", express.json({ limit: "16kb" }))
    .post("/v1/disputes/:answerDigest/nodes", async (request, response) => {
      const nodes = await show(request, async ({ model: { program }, answerDigest }) => {
        const trace = await disputes.traceOf(answerDigest);
        const { places } = parse(nodesRequestSchema, request.body);
        const under = places.map(({ depth, ...place }) => ({ depth, position: positionAt(program, trace.T, place) }));
        for (const { depth, position } of under)
          if (depth > position.height)
            throw new FoldmarkError("request.invalid", `A node of height ${position.height} has no ${depth} levels.`, {
              details: { fields: ["places"], place: placeOf(position) },
            });
        const shown: Uint8Array[][] = [];
        for (const { depth, position } of under) shown.push(await trace.nodes(position, depth));
        return shown;
      });
      response.json(z.encode(nodesResponseCodec, { nodes }));
    })
    .post("/v1/disputes/:answerDigest/leaf", async (request, response) => {
      const data = await show(request, async ({ model: { program }, answerDigest }) => {
        const trace = await disputes.traceOf(answerDigest);
        const { place } = parse(leafRequestSchema, request.body);
        if (place.list !== "leaves" || place.height !== 0)
          throw new FoldmarkError("request.invalid", "A leaf is a node of height 0 in a list of leaves.", {
            details: { fields: ["place"], place },
          });
        const { stage, fold, t, index } = positionAt(program, trace.T, place);
        return trace.leaf({ stage, fold, t }, index);
      });
      response.json(z.encode(leafResponseCodec, { data }));
    });
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new FoldmarkError("request.invalid", `The question is not valid: ${z.prettifyError(parsed.error)}`, {
    details: { fields: parsed.error.issues.slice(0, 8).map(({ path }) => path.join(".")) },
  });
}
