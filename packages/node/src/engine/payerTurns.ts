/** Whose turn it is: payers take turns, and what one payer wants comes in the order in which it came. */
export class PayerTurns {
  /** Payers by how long ago they had their turn. */
  readonly #order = new Set<string>();

  /** What waits, in the order in which it should be served. */
  inTurn<T extends { payer: string }>(waiting: readonly T[]): T[] {
    const of = Map.groupBy(waiting, ({ payer }) => payer);
    for (const payer of this.#order) if (!of.has(payer)) this.#order.delete(payer);
    for (const payer of of.keys()) this.#order.add(payer);
    const queues = [...this.#order].map((payer) => of.get(payer) ?? []);
    const rounds = Math.max(0, ...queues.map(({ length }) => length));
    return Array.from({ length: rounds }, (_, round) =>
      queues.flatMap((queue) => queue.slice(round, round + 1)),
    ).flat();
  }

  /** A payer has had its turn: the others come first. */
  served(payer: string): void {
    this.#order.delete(payer);
    this.#order.add(payer);
  }
}
