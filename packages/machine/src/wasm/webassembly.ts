/** The part of the WebAssembly API that the engine uses; it is the same in Node and in browsers, whose type libraries differ. */
export type WasmMemory = { readonly buffer: ArrayBufferLike; grow(pages: number): number };
export type WasmExports = Record<string, (...args: number[]) => number>;

type WebAssemblyApi = {
  Memory: new (limits: { initial: number; maximum: number; shared?: boolean }) => WasmMemory;
  Module: new (bytes: Uint8Array) => object;
  validate(bytes: Uint8Array): boolean;
  Instance: new (module: object, imports: object) => { exports: object };
};

export const webAssembly: WebAssemblyApi = Reflect.get(globalThis, "WebAssembly");

export const isShared = ({ buffer }: WasmMemory): boolean =>
  typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
