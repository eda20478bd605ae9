import { MachineError } from "../errors.ts";
import { type WasmMemory, webAssembly } from "./webassembly.ts";

const PAGE = 65536;
const ALIGN = 64;
/** Kernels may read so far beyond a run. */
const SLACK = 256;
/** What a 32-bit memory can hold. */
export const MAX_MEMORY_BYTES = 65536 * PAGE;

/** Who holds a block that may be moved between two calls: told where it lies now, with its content. */
export type BlockOwner = { moveTo(at: number): void };

type Block = { at: number; bytes: number; owner: BlockOwner | undefined };

/** What a block of so many bytes takes. */
export const blockBytes = (bytes: number): number => Math.ceil(Math.max(bytes, 1) / ALIGN) * ALIGN;

/**
 * One growing memory, handed out in blocks: constants, sessions, buffers of a call. First fit; where the free memory would
 * do but lies in pieces, blocks with an owner are moved together. It never shrinks: a memory of WebAssembly cannot.
 */
export class Arena {
  readonly memory: WasmMemory;
  readonly #limit: number;
  /** Blocks by address. What lies between them is free. */
  #blocks: Block[] = [];
  #size: number;
  #isClosed = false;
  bytes: Uint8Array = new Uint8Array(0);
  words: Int32Array = new Int32Array(0);

  /** @param shared - whether other threads see the memory too */
  constructor(limitBytes: number, { shared = false }: { shared?: boolean } = {}) {
    this.#limit = Math.floor(Math.min(limitBytes, MAX_MEMORY_BYTES) / PAGE) * PAGE;
    this.#size = 1;
    this.memory = new webAssembly.Memory({ initial: this.#size, maximum: 65536, shared });
    this.#refresh();
  }

  /** Bytes in use. */
  get usedBytes(): number {
    return this.#blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes that blocks may still take. */
  get freeBytes(): number {
    return this.#limit - SLACK - ALIGN - this.usedBytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Grows the memory at once by what will be allocated next, if that is allowed: each time it grows costs a millisecond. */
  prepare(bytes: number): void {
    const end = this.#end + bytes;
    if (end + SLACK <= this.#limit) this.#grow(end, bytes);
  }

  /** A block whose content is undefined. Without an owner it stays where it is. @throws `machine.out_of_memory` */
  allocate(bytes: number, owner?: BlockOwner): number {
    const wanted = blockBytes(bytes);
    let index = this.#fit(wanted);
    if (this.#startOf(index) + wanted + SLACK > this.#limit) {
      if (wanted > this.freeBytes) throw this.#outOfMemory(wanted);
      this.#compact();
      index = this.#fit(wanted);
    }
    const at = this.#startOf(index);
    this.#grow(at + wanted, wanted);
    this.#blocks.splice(index, 0, { at, bytes: wanted, owner });
    return at;
  }

  /** A block of zeros. @throws `machine.out_of_memory` */
  allocateZeroed(bytes: number): number {
    const at = this.allocate(bytes);
    this.bytes.fill(0, at, at + bytes);
    return at;
  }

  /**
   * A block in the place of an older one, whose content is lost. Both are not held at once.
   * @throws `machine.out_of_memory`, and leaves its owner a block of the old size, which may lie elsewhere
   */
  exchange(old: number | undefined, bytes: number, owner: BlockOwner): number {
    if (old === undefined) return this.allocate(bytes, owner);
    const oldBytes = this.#blockAt(old).bytes;
    this.free(old);
    try {
      return this.allocate(bytes, owner);
    } catch (error) {
      owner.moveTo(this.allocate(oldBytes, owner));
      throw error;
    }
  }

  free(at: number): void {
    if (!this.#isClosed) this.#blocks.splice(this.#blocks.indexOf(this.#blockAt(at)), 1);
  }

  /** Lets the whole memory go; blocks that are freed later are gone already. */
  close(): void {
    this.#isClosed = true;
    this.bytes = new Uint8Array(0);
    this.words = new Int32Array(0);
    this.#blocks = [];
  }

  get #end(): number {
    return this.#startOf(this.#blocks.length);
  }

  #blockAt(at: number): Block {
    const block = this.#blocks.find((candidate) => candidate.at === at);
    if (block === undefined) throw new RangeError(`nothing is allocated at ${at}`);
    return block;
  }

  /** Where a block may begin that comes before block number `index`. */
  #startOf(index: number): number {
    const before = this.#blocks[index - 1];
    return before === undefined ? ALIGN : before.at + before.bytes;
  }

  /** The number of the first block before which so many bytes are free. */
  #fit(wanted: number): number {
    let start = ALIGN;
    for (const [index, { at, bytes }] of this.#blocks.entries()) {
      if (at - start >= wanted) return index;
      start = at + bytes;
    }
    return this.#blocks.length;
  }

  #compact(): void {
    for (const [index, block] of this.#blocks.entries()) {
      const to = this.#startOf(index);
      if (block.owner === undefined || to === block.at) continue;
      this.bytes.copyWithin(to, block.at, block.at + block.bytes);
      block.at = to;
      block.owner.moveTo(to);
    }
  }

  #outOfMemory(wanted: number, cause?: unknown): MachineError {
    return new MachineError(
      "machine.out_of_memory",
      `${wanted} more bytes are needed; ${this.usedBytes} of at most ${this.#limit} are in use.`,
      { wanted, used: this.usedBytes, limit: this.#limit },
      cause === undefined ? undefined : { cause },
    );
  }

  #grow(end: number, wanted: number): void {
    const needed = Math.ceil((end + SLACK) / PAGE);
    if (needed * PAGE > this.#limit) throw this.#outOfMemory(wanted);
    if (needed <= this.#size) return;
    try {
      this.memory.grow(needed - this.#size);
    } catch (error) {
      throw this.#outOfMemory(wanted, error);
    }
    this.#size = needed;
    this.#refresh();
  }

  #refresh(): void {
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
  }
}
