import { type BaseUnits, FoldmarkError, formatAmount, parseAmount } from "@foldmark/protocol";

/** An amount that a person typed, in the settlement token. @throws `cli.usage` naming the flag */
export function amountOf(text: string | boolean | string[] | undefined, { name }: { name: string }): BaseUnits {
  try {
    return parseAmount(String(text));
  } catch (cause) {
    throw new FoldmarkError("cli.usage", `${name} is "${String(text)}", which is no amount.`, {
      details: { [name]: String(text) },
      hint: 'Write a decimal with at most 6 places, such as "0.40".',
      cause,
    });
  }
}

/** For people: an amount with the unit. */
export const tokens = (amount: bigint): string => `${formatAmount(amount)} TUSD`;
