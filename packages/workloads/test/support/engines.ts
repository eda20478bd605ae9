import { type OpenEngine, openReference, openWasm } from "@foldmark/machine";

/** Every back end: what one computes, all compute. */
export const engines: { backend: string; open: OpenEngine }[] = [
  { backend: "reference", open: openReference },
  { backend: "wasm", open: openWasm },
];
