/** The middle value; of an even number the upper one of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Of as many values as there are stages in a program: more than a call takes arguments for is never asked. */
export const largest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), 0);
