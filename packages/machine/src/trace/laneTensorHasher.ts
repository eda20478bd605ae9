import { HashLanes } from "./hashLanes.ts";
import { TensorStream } from "./tensorStream.ts";

/** Above every tree: no level under the root is kept. */
const ROOT_ONLY = 48;

/** `TensorHasher` in SIMD lanes, more than twice as fast where SHA-256 itself is WebAssembly. One tensor follows another. */
export class LaneTensorHasher {
  readonly #stream: TensorStream;

  /** @throws `machine.kernel_mismatch` where this machine computes the kernel wrongly */
  constructor() {
    this.#stream = new TensorStream(new HashLanes(), ROOT_ONLY);
  }

  update(bytes: Uint8Array): this {
    this.#stream.update(bytes);
    return this;
  }

  /** The root of what came since the last one. */
  root(): Uint8Array {
    return this.#stream.finish(ROOT_ONLY).root;
  }
}
