import { open, readFile, unlink } from "node:fs/promises";
import { resolve } from "node:path";
import { FoldmarkError } from "@foldmark/protocol";

/** A data folder that this process owns until `release`. */
export type FolderLock = { readonly path: string; release(): Promise<void>; [Symbol.asyncDispose](): Promise<void> };

// a container's process has the same id after every restart, so our own id in a file says nothing by itself
const heldHere = new Set<string>();

/**
 * Locks a data folder by a file with our process id: a second opener would destroy the database in it. The lock of a
 * process that no longer runs is taken over; one is never judged by its age.
 * @throws `store.locked` with the owner's pid
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = resolve(folder, "lock");
  if (await create(path)) return held(path);
  const owner = await ownerOf(path);
  if (owner === undefined || isAlive(owner, path)) throw locked(folder, path, owner);
  return takeOver(folder, path);
}

/** One process at a time may replace a dead owner's lock: otherwise a slow one would remove the lock of a quick one. */
async function takeOver(folder: string, path: string): Promise<FolderLock> {
  const turn = `${path}.takeover`;
  if (!(await create(turn))) throw locked(folder, turn, await ownerOf(turn));
  try {
    const owner = await ownerOf(path);
    if (owner === undefined || isAlive(owner, path)) throw locked(folder, path, owner);
    await unlink(path);
    if (!(await create(path))) throw locked(folder, path, await ownerOf(path));
    return held(path);
  } finally {
    await unlink(turn);
  }
}

async function create(path: string): Promise<boolean> {
  try {
    await using file = await open(path, "wx", 0o600);
    await file.writeFile(`${process.pid}\n`);
    await file.sync();
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function ownerOf(path: string): Promise<number | undefined> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    return /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function held(path: string): FolderLock {
  heldHere.add(path);
  const release = async () => {
    if (heldHere.delete(path)) await unlink(path);
  };
  return { path, release, [Symbol.asyncDispose]: release };
}

function isAlive(pid: number, path: string): boolean {
  if (pid === process.pid) return heldHere.has(path);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}

function locked(folder: string, path: string, owner: number | undefined): FoldmarkError {
  const who = owner === undefined ? "another process" : `process ${owner}`;
  return new FoldmarkError("store.locked", `The data folder ${folder} is in use by ${who}.`, {
    details: { folder, pid: owner ?? null },
    hint:
      owner === undefined
        ? `If no other process uses it, remove ${path}.`
        : `Stop process ${owner}, or use another folder.`,
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
