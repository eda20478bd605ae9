type Counter = readonly [number, number, number, number];
type Key = readonly [number, number];

const M0 = 0xd251_1f53n;
const M1 = 0xcd9e_8d57n;
const W0 = 0x9e37_79b9;
const W1 = 0xbb67_ae85;

/**
 * Philox4x32 with 10 rounds: four random u32 of a counter of four u32 under a key of two.
 * @see Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; vectors of the Random123 library
 */
export function philox4x32(counter: Counter, key: Key): Counter {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const p0 = M0 * BigInt(c0);
    const p1 = M1 * BigInt(c2);
    [c0, c1, c2, c3] = [(high(p1) ^ c1 ^ k0) >>> 0, low(p1), (high(p0) ^ c3 ^ k1) >>> 0, low(p0)];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

const low = (product: bigint): number => Number(product & 0xffff_ffffn);
const high = (product: bigint): number => Number(product >> 32n);
