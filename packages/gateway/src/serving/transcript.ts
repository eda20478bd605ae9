import type { ServedChat } from "../models/servedModel.ts";
import { stopWatcher } from "./stopStrings.ts";

/** Why an answer needs no further token. */
export type End = { by: "stop_token" | "limit" } | { by: "stop_string"; stop: string };

/** The answer so far: its tokens, and what of their text may be shown. */
export type Transcript = {
  readonly tokens: readonly number[];
  readonly end: End | undefined;
  /** Adds a token and returns the text that may be shown now. Nothing may be added after the end. */
  push(token: number): string;
  /** What was held back (half a character, a beginning of a stop string), once no token follows. Empty after a stop string. */
  close(): string;
};

export type TranscriptOptions = { limit: number; stops: readonly string[] };

export function openTranscript(model: ServedChat, { limit, stops }: TranscriptOptions): Transcript {
  const tokens: number[] = [];
  const text = model.stream();
  const watcher = stopWatcher(stops);
  let end: End | undefined;

  /** Shows a piece of text, unless a stop string is completed by it. */
  const watch = (piece: string): string => {
    const { show, stop } = watcher.push(piece);
    if (stop !== undefined) end = { by: "stop_string", stop };
    return show;
  };

  return {
    tokens,
    get end() {
      return end;
    },
    push(token) {
      tokens.push(token);
      const show = watch(text.push(token));
      if (end) return show;
      if (model.stopIds.has(token)) end = { by: "stop_token" };
      else if (tokens.length === limit) end = { by: "limit" };
      return show;
    },
    close() {
      if (end?.by === "stop_string") return "";
      const { show, stop } = watcher.push(text.end());
      return stop === undefined ? show + watcher.end() : show;
    },
  };
}
