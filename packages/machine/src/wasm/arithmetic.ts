import { type AsmFunction, call, defineFunction, f64, i64, if_, type Local, local, select } from "./asm.ts";

type Wide = Local<"i64">;
/** Multipliers of words 0 and 2, and what the two words of the key grow by in each round. */
export const PHILOX_MULTIPLIERS = [0xd2511f53n, 0xcd9e8d57n] as const;
export const PHILOX_WEYL = [0x9e3779b9n, 0xbb67ae85n] as const;
const LOW = 0xffff_ffffn;

/** High 64 bits of the signed 128-bit product. Hacker's Delight, 8-2. */
export const mulHigh: AsmFunction = defineFunction({ in: ["i64", "i64"], out: ["i64"] }, ([a, b], locals) => {
  const [x, y] = [a as Wide, b as Wide];
  const [xLow, xHigh, yLow, yHigh, middle] = [locals.i64(), locals.i64(), locals.i64(), locals.i64(), locals.i64()];
  local.set(xLow, i64.and(x, LOW));
  local.set(xHigh, i64.shr_s(x, 32n));
  local.set(yLow, i64.and(y, LOW));
  local.set(yHigh, i64.shr_s(y, 32n));
  i64.mul(xHigh, yLow);
  i64.mul(xLow, yLow);
  i64.const(32n);
  i64.shr_u();
  i64.add();
  local.set(middle);
  i64.mul(xHigh, yHigh);
  i64.shr_s(middle, 32n);
  i64.add();
  i64.mul(xLow, yHigh);
  i64.and(middle, LOW);
  i64.add();
  i64.const(32n);
  i64.shr_s();
  i64.add();
});

/** `shr` with any count: clamped to 0..63, half rounds up, no overflow. */
export const roundShift: AsmFunction = defineFunction({ in: ["i64", "i64"], out: ["i64"] }, ([a, s], locals) => {
  const value = a as Wide;
  const count = locals.i64();
  clampCount(s as Wide, count);
  local.get(value);
  i64.eqz(count);
  if_(
    { in: [i64], out: [i64] },
    () => {},
    () => {
      local.get(count);
      i64.shr_s();
      i64.sub(count, 1n);
      local.set(count);
      i64.shr_s(value, count);
      i64.const(1n);
      i64.and();
      i64.add();
    },
  );
});

/** `mulshr`: exact 128-bit product, rounding shift by 0..63, low 64 bits. */
export const mulShift: AsmFunction = defineFunction(
  { in: ["i64", "i64", "i64"], out: ["i64"] },
  ([a, b, s], locals) => {
    const [x, y] = [a as Wide, b as Wide];
    const [count, low] = [locals.i64(), locals.i64()];
    clampCount(s as Wide, count);
    i64.mul(x, y);
    local.set(low);
    i64.eqz(count);
    if_(
      { in: [], out: [i64] },
      () => {
        local.get(low);
      },
      () => {
        i64.shr_u(low, count);
        call(mulHigh, [x, y]);
        i64.sub(64n, count);
        i64.shl();
        i64.or();
        i64.sub(count, 1n);
        local.set(count);
        i64.shr_u(low, count);
        i64.const(1n);
        i64.and();
        i64.add();
      },
    );
  },
);

function clampCount(s: Wide, count: Wide): void {
  local.get(s);
  i64.const(0n);
  i64.lt_s(0n, s);
  select();
  local.set(count);
  local.get(count);
  i64.const(63n);
  i64.lt_s(count, 63n);
  select();
  local.set(count);
}

/** Floor of the square root of a u64. The f64 root is off by one at most; both directions are corrected. */
export const squareRoot: AsmFunction = defineFunction({ in: ["i64"], out: ["i64"] }, ([a], locals) => {
  const value = a as Wide;
  const root = locals.i64();
  f64.convert_i64_u(value);
  f64.sqrt();
  i64.trunc_sat_f64_u();
  local.set(root);
  local.get(root);
  i64.const(LOW);
  i64.lt_u(root, LOW);
  select();
  local.set(root);
  i64.mul(root, root);
  local.get(value);
  i64.gt_u();
  if_(null, () => {
    local.set(root, i64.sub(root, 1n));
  });
  i64.lt_u(root, LOW);
  if_(null, () => {
    i64.add(root, 1n);
    i64.add(root, 1n);
    i64.mul();
    local.get(value);
    i64.le_u();
    if_(null, () => {
      local.set(root, i64.add(root, 1n));
    });
  });
  local.get(root);
});

/**
 * Philox4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3). Counter (lo a, hi a, lo b, hi b), key
 * (lo, hi); gives word 0 + 2^32 word 1.
 */
export const philox: AsmFunction = defineFunction({ in: ["i64", "i64", "i64"], out: ["i64"] }, ([a, b, k], locals) => {
  const words = [locals.i64(), locals.i64(), locals.i64(), locals.i64()] as const;
  const keys = [locals.i64(), locals.i64()] as const;
  const products = [locals.i64(), locals.i64()] as const;
  const split = (source: Wide, low: Wide, high: Wide) => {
    local.set(low, i64.and(source, LOW));
    local.set(high, i64.shr_u(source, 32n));
  };
  split(a as Wide, words[0], words[1]);
  split(b as Wide, words[2], words[3]);
  split(k as Wide, keys[0], keys[1]);
  const mix = (product: Wide, word: Wide, key: Wide, into: Wide) => {
    i64.shr_u(product, 32n);
    local.get(word);
    i64.xor();
    local.get(key);
    i64.xor();
    local.set(into);
  };
  for (let round = 0; round < 10; round++) {
    local.set(products[0], i64.mul(words[0], PHILOX_MULTIPLIERS[0]));
    local.set(products[1], i64.mul(words[2], PHILOX_MULTIPLIERS[1]));
    mix(products[1], words[1], keys[0], words[0]);
    mix(products[0], words[3], keys[1], words[2]);
    local.set(words[1], i64.and(products[1], LOW));
    local.set(words[3], i64.and(products[0], LOW));
    for (const at of [0, 1] as const) {
      i64.add(keys[at], PHILOX_WEYL[at]);
      i64.const(LOW);
      i64.and();
      local.set(keys[at]);
    }
  }
  local.get(words[0]);
  i64.shl(words[1], 32n);
  i64.or();
});

/** `udiv`: operands as u64, 0 where the divisor is 0. */
export const unsignedDivide: AsmFunction = defineFunction({ in: ["i64", "i64"], out: ["i64"] }, ([a, b]) => {
  i64.eqz(b as Wide);
  if_(
    { in: [], out: [i64] },
    () => {
      i64.const(0n);
    },
    () => {
      i64.div_u(a as Wide, b as Wide);
    },
  );
});
