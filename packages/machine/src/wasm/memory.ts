import { MachineError } from "../errors.ts";
import { type WasmMemory, webAssembly } from "./webassembly.ts";

const PAGE = 65536;
const ALIGN = 64;
/** Kernels may read so far beyond a run. */
const SLACK = 256;
/** What a 32-bit memory can hold. */
export const MAX_MEMORY_BYTES = 65536 * PAGE;

/** What a block of so many bytes takes. */
export const blockBytes = (bytes: number): number => Math.ceil(Math.max(bytes, 1) / ALIGN) * ALIGN;

/** One growing memory, handed out in blocks: constants, kept state of sessions, buffers of a call. First fit. */
export class Arena {
  readonly memory: WasmMemory;
  readonly #limit: number;
  /** Free blocks by address, none next to another. */
  #free: { at: number; bytes: number }[] = [];
  readonly #used = new Map<number, number>();
  #end: number;
  #size: number;
  #isClosed = false;
  bytes: Uint8Array = new Uint8Array(0);
  words: Int32Array = new Int32Array(0);

  /** @param shared - whether other threads see the memory too */
  constructor(limitBytes: number, { shared = false }: { shared?: boolean } = {}) {
    this.#limit = Math.min(limitBytes, MAX_MEMORY_BYTES);
    this.#size = 1;
    this.memory = new webAssembly.Memory({ initial: this.#size, maximum: 65536, shared });
    this.#end = ALIGN;
    this.#refresh();
  }

  /** Bytes in use. */
  get usedBytes(): number {
    let sum = 0;
    for (const bytes of this.#used.values()) sum += bytes;
    return sum;
  }

  /** Grows the memory at once by what will be allocated next, if that is allowed: each time it grows costs a millisecond. */
  prepare(bytes: number): void {
    if (this.#end + bytes + SLACK <= this.#limit) this.#reserve(this.#end + bytes, bytes);
  }

  /** A block whose content is undefined. @throws `machine.out_of_memory` */
  allocate(bytes: number): number {
    const wanted = blockBytes(bytes);
    const hole = this.#free.find((block) => block.bytes >= wanted);
    if (hole !== undefined) {
      const at = hole.at;
      hole.at += wanted;
      hole.bytes -= wanted;
      if (hole.bytes === 0) this.#free = this.#free.filter((block) => block !== hole);
      this.#used.set(at, wanted);
      return at;
    }
    const last = this.#free.at(-1);
    const start = last !== undefined && last.at + last.bytes === this.#end ? last.at : this.#end;
    this.#reserve(start + wanted, wanted);
    if (start !== this.#end) this.#free.pop();
    this.#end = start + wanted;
    this.#used.set(start, wanted);
    return start;
  }

  /** A block of zeros. @throws `machine.out_of_memory` */
  allocateZeroed(bytes: number): number {
    const at = this.allocate(bytes);
    this.bytes.fill(0, at, at + bytes);
    return at;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Lets the whole memory go; blocks that are freed later are gone already. */
  close(): void {
    this.#isClosed = true;
    this.bytes = new Uint8Array(0);
    this.words = new Int32Array(0);
    this.#used.clear();
    this.#free = [];
  }

  free(at: number): void {
    if (this.#isClosed) return;
    const bytes = this.#used.get(at);
    if (bytes === undefined) throw new RangeError(`nothing is allocated at ${at}`);
    this.#used.delete(at);
    const next = this.#free.findIndex((block) => block.at > at);
    const index = next < 0 ? this.#free.length : next;
    this.#free.splice(index, 0, { at, bytes });
    this.#join(index);
    this.#join(index - 1);
  }

  #join(index: number): void {
    const [left, right] = [this.#free[index], this.#free[index + 1]];
    if (left === undefined || right === undefined || left.at + left.bytes !== right.at) return;
    left.bytes += right.bytes;
    this.#free.splice(index + 1, 1);
  }

  #reserve(end: number, wanted: number): void {
    const needed = Math.ceil((end + SLACK) / PAGE);
    const fail = (cause?: unknown) =>
      new MachineError(
        "machine.out_of_memory",
        `${wanted} more bytes are needed; ${this.usedBytes} of at most ${this.#limit} are in use.`,
        { wanted, used: this.usedBytes, limit: this.#limit },
        cause === undefined ? undefined : { cause },
      );
    if (needed * PAGE > this.#limit) throw fail();
    if (needed <= this.#size) return;
    try {
      this.memory.grow(needed - this.#size);
    } catch (error) {
      throw fail(error);
    }
    this.#size = needed;
    this.#refresh();
  }

  #refresh(): void {
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
  }
}
