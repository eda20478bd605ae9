/** Small numbers that reach both ends of their type. */
export function* values(bits: 8 | 16, seed: number): Generator<number, never> {
  const half = 2 ** (bits - 1);
  for (let at = seed; ; at++)
    yield at % 7 === 0 ? -half : at % 7 === 3 ? half - 1 : ((Math.imul(at, 0x9e3779b1) >>> 8) % (2 * half)) - half;
}
