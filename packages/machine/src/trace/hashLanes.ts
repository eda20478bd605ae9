import { LEAF_BYTES } from "../commitments/tensor.ts";
import { HASH_BYTES } from "../commitments/tree.ts";
import { MachineError } from "../errors.ts";
import { taggedHash } from "../hash.ts";
import { instantiate } from "../wasm/asm.ts";
import { type WasmMemory, webAssembly } from "../wasm/webassembly.ts";
import { CONSTANTS_AT, FREE_AT, hashItems, shaConstants } from "./shaLanes.ts";

const PAGE = 65536;

type HashItems = (items: number, length: number, groups: number, prefix: number, out: number) => void;

/**
 * Hashes leaves and nodes four at a time, in SIMD lanes, in a memory of its own: a call for each 64-byte node would cost
 * more than its hash. Blocks are handed out once and stay.
 */
export class HashLanes {
  readonly #memory: WasmMemory;
  readonly #hash: HashItems;
  #end = Math.ceil((FREE_AT + 1) / 64) * 64;
  bytes: Uint8Array;

  /** @throws `machine.kernel_mismatch` where this machine computes the kernel wrongly */
  constructor() {
    this.#memory = new webAssembly.Memory({ initial: 1, maximum: 65536 });
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.bytes.set(shaConstants(), CONSTANTS_AT);
    const { hash } = instantiate(this.#memory, { hash: hashItems });
    this.#hash = hash as HashItems;
    this.#check();
  }

  /** An address of so many bytes; the byte before it may be read. */
  allocate(bytes: number): number {
    const at = this.#end;
    this.#end += Math.ceil(bytes / 64) * 64;
    const pages = Math.ceil(this.#end / PAGE) - this.bytes.length / PAGE;
    if (pages > 0) {
      this.#memory.grow(pages);
      this.bytes = new Uint8Array(this.#memory.buffer);
    }
    return at;
  }

  /** Hashes 4 x `groups` whole leaves. */
  leaves(at: number, groups: number, out: number): void {
    this.#hash(at, LEAF_BYTES, groups, 0, out);
  }

  /** Hashes 8 x `groups` neighbouring nodes in pairs; `out` may be `at`. */
  nodes(at: number, groups: number, out: number): void {
    this.#hash(at, 2 * HASH_BYTES, groups, 1, out);
  }

  #check(): void {
    const at = this.allocate(4 * LEAF_BYTES);
    const out = this.allocate(4 * HASH_BYTES);
    for (let i = 0; i < 4 * LEAF_BYTES; i++) this.bytes[at + i] = Math.imul(i, 0x9e3779b1) >>> 13;
    for (const [prefix, length] of [
      [0, LEAF_BYTES],
      [1, 2 * HASH_BYTES],
    ] as const) {
      this.#hash(at, length, 1, prefix, out);
      for (let lane = 0; lane < 4; lane++) {
        const expected = taggedHash(prefix, [this.bytes.slice(at + lane * length, at + (lane + 1) * length)]);
        const actual = this.bytes.subarray(out + lane * HASH_BYTES, out + (lane + 1) * HASH_BYTES);
        if (expected.every((byte, i) => byte === actual[i])) continue;
        const message = "The kernel sha256 computes wrong values on this machine.";
        throw new MachineError("machine.kernel_mismatch", message, { kernel: "sha256", prefix, lane });
      }
    }
  }
}
