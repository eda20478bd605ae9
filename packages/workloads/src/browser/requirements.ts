import { WorkloadError } from "../errors.ts";
import type { Folder } from "./storage.ts";

/** The part of a browser's storage manager that is used here. Its types are not loaded beside Node's. */
export type StorageManager = {
  getDirectory(): Promise<Folder>;
  estimate(): Promise<{ quota?: number; usage?: number }>;
};

/** `(func (drop (i8x16.popcnt (v128.const 0))))`: valid where a browser has WebAssembly SIMD. */
const SIMD_MODULE = Uint8Array.from([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 25, 1, 23, 0],
  ...[253, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 253, 98, 26, 11],
]);

/**
 * Says before a download what would stop it afterwards.
 * @throws `browser.no_simd`; `browser.no_storage` in a page that was not loaded by https or from localhost, outside a
 * worker, and in private windows of some browsers
 */
export function requireBrowser(): StorageManager {
  const { WebAssembly, navigator, FileSystemFileHandle } = globalThis as BrowserScope;
  if (WebAssembly?.validate(SIMD_MODULE) !== true) {
    throw new WorkloadError("browser.no_simd", "This browser has no WebAssembly SIMD, which the engine needs.");
  }
  const storage = navigator?.storage;
  if (typeof storage?.getDirectory === "function" && FileSystemFileHandle?.prototype.createSyncAccessHandle) {
    return storage;
  }
  const message = "There is no private file system (OPFS) here: it needs a worker of a page loaded by https.";
  throw new WorkloadError("browser.no_storage", message);
}

type BrowserScope = {
  WebAssembly?: { validate(bytes: Uint8Array): boolean };
  navigator?: { storage?: StorageManager };
  FileSystemFileHandle?: { prototype: { createSyncAccessHandle?: unknown } };
};
