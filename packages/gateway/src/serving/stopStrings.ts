/** What a watcher makes of a piece of text: how much of it may be shown, and the stop string that was completed. */
export type Watched = { show: string; stop?: string };

/** Looks for stop strings in a text that arrives in pieces. */
export type StopWatcher = {
  /** Text that cannot be the beginning of a stop string; after a stop string nothing more comes. */
  push(piece: string): Watched;
  /** What was held back, once it is known that no more text follows. */
  end(): string;
};

/**
 * Watches for the stop string that is completed first; of several completed by the same piece the one that begins
 * first counts. Text in front of it is shown, the string itself and all behind it is not. What may be the beginning of
 * a stop string is held back until the next piece decides.
 */
export function stopWatcher(stops: readonly string[]): StopWatcher {
  let held = "";
  return {
    push(piece) {
      const text = held + piece;
      const [first] = stops
        .map((stop) => ({ stop, at: text.indexOf(stop) }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at);
      if (first) {
        held = "";
        return { show: text.slice(0, first.at), stop: first.stop };
      }
      const keep = Math.max(0, ...stops.map((stop) => overlap(text, stop)));
      held = text.slice(text.length - keep);
      return { show: text.slice(0, text.length - keep) };
    },
    end() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** Length of the longest end of `text` that is a beginning of `stop`, but not all of it. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length -= 1)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
