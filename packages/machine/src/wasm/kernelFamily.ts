/**
 * Ways of computing that a machine may get wrong one by one; WebAssembly compilers have miscompiled single SIMD operations.
 * Each but the first has a next form: a program is compiled without it, to slower code and the same bits. What `relaxed` takes
 * for granted holds on some machines only; `matrix` is its next form.
 */
export const KERNEL_FAMILIES = ["arithmetic", "relaxed", "matrix", "runs", "vectors"] as const;
export type KernelFamily = (typeof KERNEL_FAMILIES)[number];
