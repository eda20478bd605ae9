/**
 * The columns of request tensor 1, i64[1, 8], and the bounds to which the program clamps what it loads from them.
 * Prompt length and limit are clamped to 0..maxT; the seed is taken as it is; the last three columns are 0.
 */
export const PARAMETER = {
  promptLength: 0,
  limit: 1,
  seed: 2,
  /** 1 / temperature, Q16; 0 is greedy. */
  inverseTemperature: 3,
  /** How far below the largest logit a token may lie, Q16 nat; the maximum is as good as none. */
  gap: 4,
  count: 8,
  maxInverseTemperature: 2 ** 24,
  maxGap: 2 ** 40,
} as const;
