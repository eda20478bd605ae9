import { bytesCodec } from "@foldmark/protocol";
import { z } from "zod";

/** Nodes of one answer: 8 levels down are 256 hashes, 8 KiB. */
export const MAX_DEPTH = 8;
export const MAX_PLACES = 8;

const number = z.int().min(0).max(0xffff_ffff);

export const placeSchema = z.strictObject({
  list: z.enum(["stages", "steps", "folds", "leaves"]),
  stage: number,
  t: number,
  fold: number,
  height: number.max(32),
  index: number,
});

/** Body of `POST /v1/disputes/{answerDigest}/nodes`. */
export const nodesRequestSchema = z.strictObject({
  places: z
    .array(z.strictObject({ ...placeSchema.shape, depth: z.int().min(1).max(MAX_DEPTH) }))
    .min(1)
    .max(MAX_PLACES),
});
/** Its answer: for each place the hashes of the nodes under it, left to right. */
export const nodesResponseCodec = z.strictObject({ nodes: z.array(z.array(bytesCodec)) });

/** Body of `POST /v1/disputes/{answerDigest}/leaf`. */
export const leafRequestSchema = z.strictObject({ place: placeSchema });
export const leafResponseCodec = z.strictObject({ data: bytesCodec });
