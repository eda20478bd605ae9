/**
 * Ways of computing that a machine may get wrong one by one; WebAssembly compilers have miscompiled single SIMD operations.
 * Each but the first has a next form: a program is compiled without it, to slower code and the same bits.
 */
export const KERNEL_FAMILIES = ["arithmetic", "matrix", "runs", "vectors"] as const;
export type KernelFamily = (typeof KERNEL_FAMILIES)[number];
