import {
  type AsmFunction,
  br_if,
  call,
  defineFunction,
  i8x16,
  i32,
  i32x4,
  if_,
  type Local,
  type Locals,
  local,
  loop,
  v128,
} from "../wasm/asm.ts";

type Vector = Local<"v128">;
type Address = Local<"i32">;

/** Where `shaConstants` must lie in the memory: 64 words for each of the four lanes, then the first state. */
export const CONSTANTS_AT = 16;
const STATE_AT = CONSTANTS_AT + 64 * 16;
/** Eight vectors: the state between calls of `compress`; then sixteen: the block that it takes. */
const WORKING_AT = STATE_AT + 8 * 16;
const BLOCK_AT = WORKING_AT + 8 * 16;
/** The first byte that a caller may use. */
export const FREE_AT = BLOCK_AT + 16 * 16;

/** Round constants and first state of SHA-256 (FIPS 180-4, sections 4.2.2 and 5.3.3), each word in four lanes. */
export function shaConstants(): Uint8Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const words = [...primes.map((n) => rootBits(n, 3)), ...primes.slice(0, 8).map((n) => rootBits(n, 2))];
  return new Uint8Array(Uint32Array.from(words.flatMap((word) => [word, word, word, word])).buffer);
}

/** The first 32 bits behind the binary point of a square or cube root. */
function rootBits(n: number, degree: 2 | 3): number {
  const scaled = BigInt(n) << BigInt(32 * degree);
  let root = BigInt(Math.floor(n ** (1 / degree) * 2 ** 32));
  while (root ** BigInt(degree) > scaled) root--;
  while ((root + 1n) ** BigInt(degree) <= scaled) root++;
  return Number(root & 0xffff_ffffn);
}

const rotated = (x: Vector, by: number) => {
  i32x4.shl(x, 32 - by);
  i32x4.shr_u(x, by);
  v128.or();
};

/** Pushes the exclusive or of three rotations. */
function sigma(x: Vector, [a, b, c]: [number, number, number]): void {
  rotated(x, a);
  rotated(x, b);
  v128.xor();
  rotated(x, c);
  v128.xor();
}

/** Pushes two rotations and a shift: what the schedule mixes. */
function smallSigma(x: Vector, [a, b]: [number, number], shift: number): void {
  rotated(x, a);
  rotated(x, b);
  v128.xor();
  i32x4.shr_u(x, shift);
  v128.xor();
}

/**
 * One block of four messages, a message a lane: takes sixteen vectors at BLOCK_AT into the eight of the state at
 * WORKING_AT. Names of the working variables as in FIPS 180-4.
 */
const compress: AsmFunction = defineFunction({ in: [], out: [] }, (_, locals) => {
  const w = Array.from({ length: 16 }, () => locals.v128());
  const state = Array.from({ length: 8 }, () => locals.v128());
  const [temporary, nearby, before] = [locals.v128(), locals.v128(), locals.v128()];
  const [at, zero] = [locals.i32(), locals.i32()];
  i32.const(0);
  local.set(zero);
  const load = (into: Vector, offset: number) => {
    v128.load({ offset }, zero);
    local.set(into);
  };
  for (const [i, word] of w.entries()) load(word, BLOCK_AT + i * 16);
  for (const [i, word] of state.entries()) load(word, WORKING_AT + i * 16);
  // b ^ c of a round is a ^ b of the one before it
  v128.xor(state[1] as Vector, state[2] as Vector);
  local.set(before);

  const round = (i: number) => {
    const [a, b, , d, e, f, g, h] = Array.from({ length: 8 }, (_, j) => state[(j - i + 16) % 8] as Vector) as [
      Vector,
      Vector,
      Vector,
      Vector,
      Vector,
      Vector,
      Vector,
      Vector,
    ];
    v128.load({ offset: CONSTANTS_AT + i * 16 }, at);
    local.get(w[i] as Vector);
    i32x4.add();
    local.get(h);
    i32x4.add();
    v128.bitselect(f, g, e);
    i32x4.add();
    sigma(e, [6, 11, 25]);
    i32x4.add();
    local.set(temporary);
    i32x4.add(d, temporary);
    local.set(d);
    v128.xor(a, b);
    local.tee(nearby);
    local.get(before);
    v128.and();
    local.get(b);
    v128.xor(); // the majority of a, b and c
    local.get(temporary);
    i32x4.add();
    sigma(a, [2, 13, 22]);
    i32x4.add();
    local.set(h);
    local.get(nearby);
    local.set(before);
  };
  const schedule = (i: number) => {
    const word = (ahead: number) => w[(i + ahead) % 16] as Vector;
    smallSigma(word(1), [7, 18], 3);
    local.get(word(0));
    i32x4.add();
    smallSigma(word(14), [17, 19], 10);
    i32x4.add();
    local.get(word(9));
    i32x4.add();
    local.set(word(0));
  };
  for (let i = 0; i < 16; i++) round(i);
  loop(null, (again) => {
    i32.add(at, 256);
    local.set(at);
    for (let i = 0; i < 16; i++) {
      schedule(i);
      round(i);
    }
    i32.lt_u(at, 768);
    br_if(again);
  });
  for (const [i, word] of state.entries()) {
    local.get(zero);
    v128.load({ offset: WORKING_AT + i * 16 }, zero);
    local.get(word);
    i32x4.add();
    v128.store({ offset: WORKING_AT + i * 16 });
  }
});

const vectors = (locals: Locals): [Vector, Vector, Vector, Vector] => [
  locals.v128(),
  locals.v128(),
  locals.v128(),
  locals.v128(),
];
const words = (...numbers: number[]) => numbers.flatMap((word) => [0, 1, 2, 3].map((byte) => word * 4 + byte));
const SWAPPED_BYTES = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

/** `(first, stride)`: the next 64 bytes of four messages, `stride` apart, to BLOCK_AT as big-endian words, a message a lane. */
const takeBlock: AsmFunction = defineFunction({ in: ["i32", "i32"], out: [] }, ([first, stride], locals) => {
  const messages = Array.from({ length: 4 }, () => locals.i32());
  const [rows, mixed] = [vectors(locals), vectors(locals)];
  const zero = locals.i32();
  i32.const(0);
  local.set(zero);
  for (const [lane, message] of messages.entries()) {
    local.get(lane === 0 ? (first as Address) : (messages[lane - 1] as Address));
    if (lane > 0) {
      local.get(stride as Address);
      i32.add();
    }
    local.set(message);
  }
  const shuffle = (into: Vector, of: [Vector, Vector], pattern: number[]) => {
    i8x16.shuffle(pattern, ...of);
    local.set(into);
  };
  for (let offset = 0; offset < 64; offset += 16) {
    for (const [lane, row] of rows.entries()) {
      v128.load({ offset, align: 1 }, messages[lane] as Address);
      local.tee(row);
      local.get(row);
      i8x16.shuffle(SWAPPED_BYTES);
      local.set(row);
    }
    const [m0, m1, m2, m3] = rows;
    const [low, lowNext, high, highNext] = mixed;
    shuffle(low, [m0, m1], words(0, 4, 1, 5));
    shuffle(lowNext, [m2, m3], words(0, 4, 1, 5));
    shuffle(high, [m0, m1], words(2, 6, 3, 7));
    shuffle(highNext, [m2, m3], words(2, 6, 3, 7));
    for (const [word, [left, right, pattern]] of [
      [low, lowNext, words(0, 1, 4, 5)] as const,
      [low, lowNext, words(2, 3, 6, 7)] as const,
      [high, highNext, words(0, 1, 4, 5)] as const,
      [high, highNext, words(2, 3, 6, 7)] as const,
    ].entries()) {
      local.get(zero);
      i8x16.shuffle(pattern, left, right);
      v128.store({ offset: BLOCK_AT + offset * 4 + word * 16 });
    }
  }
});

/**
 * `(items, length, groups, prefix, out)`: SHA-256 of a prefix byte and an item, for 4 x groups items of `length` bytes (a
 * positive multiple of 64) that lie one after the other; 32 bytes each at `out`, which may be `items`. The byte before the
 * first item is read.
 */
export const hashItems: AsmFunction = defineFunction(
  { in: ["i32", "i32", "i32", "i32", "i32"], out: [] },
  ([items, length, groups, prefix, out], locals) => {
    const [at, end, zero, message] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [vector] = [locals.v128()];
    i32.const(0);
    local.set(zero);
    const storeWord = (word: number, push: () => void) => {
      local.get(zero);
      push();
      v128.store({ offset: BLOCK_AT + word * 16 });
    };
    const take = () => {
      local.get(at);
      local.get(length as Address);
      call(takeBlock);
    };
    loop(null, (nextGroup) => {
      for (let i = 0; i < 8; i++) {
        local.get(zero);
        v128.load({ offset: STATE_AT + i * 16 }, zero);
        v128.store({ offset: WORKING_AT + i * 16 });
      }
      // a message starts one byte before its item: there, the prefix takes the place of whatever lies in memory
      i32.sub(items as Address, 1);
      local.tee(at);
      local.get(length as Address);
      i32.add();
      local.set(end);
      take();
      storeWord(0, () => {
        v128.load({ offset: BLOCK_AT }, zero);
        v128.const("i32x4", [0xff_ffff, 0xff_ffff, 0xff_ffff, 0xff_ffff]);
        v128.and();
        i32.shl(prefix as Address, 24);
        i32x4.splat();
        v128.or();
      });
      call(compress);
      i32.add(at, 64);
      local.set(at);
      i32.lt_u(at, end);
      if_(null, () => {
        loop(null, (nextBlock) => {
          take();
          call(compress);
          i32.add(at, 64);
          local.tee(at);
          local.get(end);
          i32.lt_u();
          br_if(nextBlock);
        });
      });

      // the last block: the item's last byte, the bit that ends a message, zeros, and its length in bits
      v128.const("i32x4", [0, 0, 0, 0]);
      local.set(vector);
      local.get(end);
      local.set(message);
      for (let lane = 0; lane < 4; lane++) {
        local.get(vector);
        i32.load8_u({}, message);
        i32.const(24);
        i32.shl();
        i32x4.replace_lane(lane);
        local.set(vector);
        i32.add(message, length as Address);
        local.set(message);
      }
      storeWord(0, () => {
        local.get(vector);
        i32.const(0x80_0000);
        i32x4.splat();
        v128.or();
      });
      for (let word = 1; word < 15; word++) storeWord(word, () => v128.const("i32x4", [0, 0, 0, 0]));
      storeWord(15, () => {
        i32.add(length as Address, 1);
        i32.const(3);
        i32.shl();
        i32x4.splat();
      });
      call(compress);

      for (let i = 0; i < 8; i++) {
        v128.load({ offset: WORKING_AT + i * 16 }, zero);
        local.tee(vector);
        local.get(vector);
        i8x16.shuffle(SWAPPED_BYTES);
        local.set(vector);
        for (let lane = 0; lane < 4; lane++) {
          local.get(out as Address);
          local.get(vector);
          v128.store32_lane({ offset: lane * 32 + i * 4 }, lane);
        }
      }
      i32.add(out as Address, 128);
      local.set(out as Address);
      i32.shl(length as Address, 2);
      local.get(items as Address);
      i32.add();
      local.set(items as Address);
      i32.sub(groups as Address, 1);
      local.tee(groups as Address);
      br_if(nextGroup);
    });
  },
);
