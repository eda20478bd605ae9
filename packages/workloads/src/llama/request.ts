import { WorkloadError } from "../errors.ts";
import { fromNumber, logarithm, multiply, round } from "../exact/fixedPoint.ts";
import { PARAMETER } from "./parameters.ts";

/** How a caller wants tokens chosen, in the terms of an API. */
export type Sampling = {
  /** 0 is greedy. */
  temperature: number;
  /** 0..1: tokens whose probability, after temperature, is below this part of the largest are never chosen. */
  minP: number;
  /** 64 bits. */
  seed: bigint;
};

/** A job in tokens: what was asked, and how long the answer may be. */
export type LlamaOrder = Sampling & { prompt: readonly number[]; limit: number };

/** What the request tensors of a Llama say. */
export type LlamaRequest = {
  prompt: number[];
  limit: number;
  seed: bigint;
  /** 1 / temperature, Q16; 0 is greedy. */
  inverseTemperature: bigint;
  /** Q16 nat below the largest logit. */
  gap: bigint;
};

type Bounds = { maxT: number; vocabulary: number };

/**
 * The request tensors of an order: prompt i32[1, maxT], parameters i64[1, 8]. The same bytes on every machine.
 * @throws `request.temperature`, `request.min_p`, and what `checkLlamaRequest` throws
 */
export function llamaRequest(order: LlamaOrder, bounds: Bounds): Uint8Array[] {
  const { prompt, limit, seed } = order;
  const tokens = new DataView(new ArrayBuffer(4 * bounds.maxT));
  if (prompt.length < bounds.maxT) {
    for (const [t, token] of prompt.entries()) tokens.setInt32(4 * t, token, true);
  }
  const parameters = new DataView(new ArrayBuffer(8 * PARAMETER.count));
  const put = (column: number, value: bigint) => parameters.setBigInt64(8 * column, value, true);
  put(PARAMETER.promptLength, BigInt(prompt.length));
  put(PARAMETER.limit, BigInt(whole("limit", limit)));
  put(PARAMETER.seed, BigInt.asIntN(64, seed));
  put(PARAMETER.inverseTemperature, inverseTemperature(order));
  put(PARAMETER.gap, gap(order));
  const request = [new Uint8Array(tokens.buffer), new Uint8Array(parameters.buffer)];
  for (const [t, token] of prompt.entries()) checkToken(whole(`prompt[${t}]`, token), t, bounds);
  checkLlamaRequest(request, bounds);
  return request;
}

/** min(2^24, round(65536 / temperature)), 0 for temperature 0. */
function inverseTemperature({ temperature }: Sampling): bigint {
  if (!(temperature >= 0 && temperature <= MAX_TEMPERATURE)) {
    throw new WorkloadError(
      "request.temperature",
      `temperature must lie in 0..${MAX_TEMPERATURE}, it is ${temperature}.`,
      {
        temperature,
      },
    );
  }
  if (temperature === 0) return 0n;
  return BigInt(Math.min(PARAMETER.maxInverseTemperature, Math.floor(65_536 / temperature + 0.5)));
}
const MAX_TEMPERATURE = 100;

/** round(-ln(min_p) * temperature * 65536), at most 2^40, which is also what min_p = 0 means. */
function gap({ minP, temperature }: Sampling): bigint {
  if (!(minP >= 0 && minP <= 1)) {
    throw new WorkloadError("request.min_p", `min_p must lie in 0..1, it is ${minP}.`, { minP });
  }
  const probability = fromNumber(minP);
  if (probability === 0n) return BigInt(PARAMETER.maxGap);
  const exact = round(multiply(-logarithm(probability), fromNumber(temperature)), 65_536);
  return exact < BigInt(PARAMETER.maxGap) ? exact : BigInt(PARAMETER.maxGap);
}

/**
 * Reads request tensors after checking that some answer to them is true.
 * @throws `request.shape`, `request.prompt_length`, `request.limit`, `request.too_long`, `request.token_unknown`,
 * `request.padding`, each with the values that are wrong
 */
export function readLlamaRequest(request: readonly Uint8Array[], bounds: Bounds): LlamaRequest {
  const [tokens, parameters] = request;
  const { maxT } = bounds;
  if (request.length !== 2 || tokens?.length !== 4 * maxT || parameters?.length !== 8 * PARAMETER.count) {
    const sizes = request.map(({ length }) => length);
    const message = `A request is two tensors of ${4 * maxT} and ${8 * PARAMETER.count} bytes, not of ${sizes.join(" and ")}.`;
    throw new WorkloadError("request.shape", message, { sizes, maxT });
  }
  const column = (n: number) => viewOf(parameters).getBigInt64(8 * n, true);
  const promptLength = column(PARAMETER.promptLength);
  const limit = column(PARAMETER.limit);
  if (promptLength < 1n || promptLength > BigInt(maxT - 1)) {
    const message = `A prompt has 1 to ${maxT - 1} tokens, not ${promptLength}.`;
    throw new WorkloadError("request.prompt_length", message, { promptLength, maxT });
  }
  if (limit < 1n)
    throw new WorkloadError("request.limit", `The limit must be at least 1 token, it is ${limit}.`, { limit });
  if (promptLength + limit > BigInt(maxT)) {
    const message = `${promptLength} prompt tokens and a limit of ${limit} are more than the ${maxT} positions of the model.`;
    throw new WorkloadError("request.too_long", message, { promptLength, limit, maxT });
  }
  const prompt = Array.from({ length: maxT }, (_, t) => viewOf(tokens).getInt32(4 * t, true));
  for (const [t, token] of prompt.entries()) {
    if (t < promptLength) checkToken(token, t, bounds);
    else if (token !== 0) throw padding(`prompt[${t}] lies behind the prompt`, { t, token });
  }
  for (let spare = PARAMETER.gap + 1; spare < PARAMETER.count; spare++) {
    if (column(spare) !== 0n) throw padding(`parameter ${spare} has no meaning`, { column: spare });
  }
  return {
    prompt: prompt.slice(0, Number(promptLength)),
    limit: Number(limit),
    seed: BigInt.asUintN(64, column(PARAMETER.seed)),
    inverseTemperature: column(PARAMETER.inverseTemperature),
    gap: column(PARAMETER.gap),
  };
}

/** Throws what `readLlamaRequest` throws. */
export function checkLlamaRequest(request: readonly Uint8Array[], bounds: Bounds): void {
  readLlamaRequest(request, bounds);
}

/** The same request with another limit: an answer that was cut after n tokens is a whole answer to this one. */
export function withLimit(request: readonly Uint8Array[], limit: number): Uint8Array[] {
  const [tokens, parameters] = request as [Uint8Array, Uint8Array];
  const copy = parameters.slice();
  viewOf(copy).setBigInt64(8 * PARAMETER.limit, BigInt(whole("limit", limit)), true);
  return [tokens, copy];
}

/** Tokens as the bytes of a claimed tensor, i32[1, T]. */
export function tokenBytes(tokens: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * tokens.length));
  for (const [t, token] of tokens.entries()) view.setInt32(4 * t, token, true);
  return new Uint8Array(view.buffer);
}

/** The tokens of a claimed tensor. */
export function tokensOf(bytes: Uint8Array): number[] {
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, t) => viewOf(bytes).getInt32(4 * t, true));
}

function checkToken(token: number, t: number, { vocabulary }: Bounds): void {
  if (token >= 0 && token < vocabulary) return;
  const message = `Token ${token} at position ${t} is not in the vocabulary of ${vocabulary}.`;
  throw new WorkloadError("request.token_unknown", message, { token, position: t, vocabulary });
}

function whole(name: string, value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new WorkloadError("request.whole_number", `${name} must be a whole number, it is ${value}.`, { name, value });
}

const padding = (what: string, details: Record<string, unknown>) =>
  new WorkloadError("request.padding", `${what} and must be 0.`, details);
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
