/** What is being done, and how far it is. Downloads that are resumed start at what was there. */
export type FetchProgress = { step: "download" | "extract" | "verify"; doneBytes: number; totalBytes: number };

/** What every step of fetching takes. */
export type StepOptions = {
  onProgress?: ((progress: FetchProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
};
