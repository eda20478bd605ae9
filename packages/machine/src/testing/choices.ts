import fc from "fast-check";

/** Small decisions of a random program, drawn from fast-check so that a failing case shrinks. */
export type Choices = {
  integer(min: number, max: number): number;
  pick<T>(options: readonly T[]): T;
  /** True in about `percent` of 100 draws. */
  chance(percent: number): boolean;
};

type Draw = <Args extends unknown[], T>(arbitrary: (...args: Args) => fc.Arbitrary<T>, ...args: Args) => T;

export function choicesOf(draw: Draw): Choices {
  const integer = (min: number, max: number) => draw(fc.integer, { min, max });
  return {
    integer,
    pick: (options) => {
      const picked = options[integer(0, options.length - 1)];
      if (picked === undefined) throw new RangeError("There is nothing to pick from.");
      return picked;
    },
    chance: (percent) => integer(0, 99) >= 100 - percent, // shrinks to false
  };
}
