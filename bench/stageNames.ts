/** Stages of a layer of a Llama, in the order of its program. */
const LAYER = [
  "attention norm, inverse",
  "attention norm",
  "query",
  "key",
  "value",
  "query rope",
  "key rope",
  "scores",
  "scores, top",
  "probabilities",
  "probabilities, inverse",
  "attention",
  "attention out",
  "feed-forward norm, inverse",
  "feed-forward norm",
  "gate",
  "up",
  "hidden",
  "down",
] as const;
const HEAD = ["head norm, inverse", "head norm", "head", "head, top", "sample", "ok"] as const;

/** What a stage of a Llama's program computes; the same for each layer. */
export function stageName(stage: number, stages: number): string {
  if (stage === 0) return "embedding";
  const fromEnd = stages - stage;
  const name = fromEnd <= HEAD.length ? HEAD[HEAD.length - fromEnd] : LAYER[(stage - 1) % LAYER.length];
  return name ?? "";
}
