import { WorkloadError } from "../errors.ts";
import type { StorageManager } from "./requirements.ts";

/** The part of the origin private file system that is used here. */
export type Folder = {
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<Folder>;
  getFileHandle(name: string, options: { create: boolean }): Promise<FileHandle>;
  removeEntry(name: string, options: { recursive: boolean }): Promise<void>;
};
type FileHandle = { createSyncAccessHandle(): Promise<StoredFile> };

/** A file that is open for this worker alone. */
export type StoredFile = {
  getSize(): number;
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
};

const PACKAGES = "foldmark-packages";

/** The folder of a package, by its asset. @throws `browser.no_storage` */
export async function packageFolder(storage: StorageManager, assetId: string): Promise<Folder> {
  const root = await storage.getDirectory().catch((cause) => {
    const message = `This window may store nothing: ${reasonOf(cause)}.`;
    throw new WorkloadError("browser.no_storage", message, {}, { cause });
  });
  const packages = await root.getDirectoryHandle(PACKAGES, { create: true });
  return packages.getDirectoryHandle(assetId.slice(2), { create: true });
}

/** Removes every package that this origin keeps. @throws `browser.in_use` */
export async function removePackages(storage: StorageManager): Promise<void> {
  const root = await storage.getDirectory();
  await root.removeEntry(PACKAGES, { recursive: true }).catch((cause) => {
    if (nameOf(cause) !== "NotFoundError") refuse(cause);
  });
}

/** Opens a file, which is made where there is none. @throws `browser.in_use` while another tab has it open */
export async function openStored(folder: Folder, name: string): Promise<StoredFile> {
  const handle = await folder.getFileHandle(name, { create: true });
  return handle.createSyncAccessHandle().catch(refuse);
}

/** Fills `into` from byte `at` on; what lies behind the end of the file is no error but a shorter result. */
export function readStored(file: StoredFile, into: Uint8Array, at: number): Uint8Array {
  let filled = 0;
  for (let read = -1; read !== 0 && filled < into.length; filled += read) {
    read = file.read(into.subarray(filled), { at: at + filled });
  }
  return into.subarray(0, filled);
}

/** @throws `browser.storage_full` */
export function writeStored(file: StoredFile, bytes: Uint8Array, at: number): void {
  let written: number;
  try {
    written = file.write(bytes, { at });
  } catch (cause) {
    throw nameOf(cause) === "QuotaExceededError" ? storageFull({ neededBytes: bytes.length }, cause) : cause;
  }
  if (written < bytes.length) throw storageFull({ neededBytes: bytes.length - written });
}

/** @throws `browser.storage_full` where so many bytes more than are stored do not fit */
export async function requireSpace(storage: StorageManager, neededBytes: number): Promise<void> {
  const { quota = Number.POSITIVE_INFINITY, usage = 0 } = await storage.estimate();
  if (neededBytes > quota - usage) throw storageFull({ neededBytes, freeBytes: Math.max(0, quota - usage) });
}

function storageFull(details: { neededBytes: number; freeBytes?: number }, cause?: unknown): WorkloadError {
  const { neededBytes, freeBytes = 0 } = details;
  const message = `${neededBytes} bytes more have to be stored, this browser has room for ${freeBytes}.`;
  return new WorkloadError("browser.storage_full", message, details, { cause });
}

function refuse(cause: unknown): never {
  if (nameOf(cause) !== "NoModificationAllowedError") throw cause;
  throw new WorkloadError("browser.in_use", "Another tab or worker uses this package.", {}, { cause });
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
