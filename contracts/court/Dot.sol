// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Dot products of bytes in the calldata, many terms at once in the lanes of a word.
/// @dev Signed bytes are biased by 128, so that lanes hold 0..255 and a sum of eight products (at most 520,200) stays in
///      its 32 bits. Of two words of eight lanes, the second reversed, the product modulo 2^256 has the sum of the eight
///      products of opposite lanes in its top lane; the lower lanes hold sums of fewer, so that nothing is carried.
///      Assembly because this is what a matrix product costs on chain: 10 gas a term instead of 250.
library Dot {
    // low byte of each of eight lanes
    uint256 private constant LANES = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
    // low byte of each of sixteen lanes, and 1 in each
    uint256 private constant PAIRS = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant ONES = 0x0001000100010001000100010001000100010001000100010001000100010001;
    uint256 private constant BIAS = 0x8080808080808080808080808080808080808080808080808080808080808080;
    // products of a word of bytes that may be added before a lane is full: 4 * 520,200 * 2,048 < 2^32
    uint256 private constant BLOCK = 2048 * 32;

    /// @notice Sum of a[i] * b[i] of `n` i8 each.
    function i8i8(uint256 a, uint256 b, uint256 n) internal pure returns (int256 sum) {
        unchecked {
            while (n > 0) {
                uint256 terms = n < BLOCK ? n : BLOCK;
                sum += _i8i8(a, b, terms);
                a += terms;
                b += terms;
                n -= terms;
            }
        }
    }

    /// @notice Sum of a[i] * b[i] of `n` i16 in `a` and i8 in `b`.
    function i16i8(uint256 a, uint256 b, uint256 n) internal pure returns (int256 sum) {
        unchecked {
            while (n > 0) {
                uint256 terms = n < BLOCK / 2 ? n : BLOCK / 2;
                sum += _i16i8(a, b, terms);
                a += 2 * terms;
                b += terms;
                n -= terms;
            }
        }
    }

    /// @notice Sum of `n` i8.
    function sumOfI8(uint256 a, uint256 n) internal pure returns (int256 sum) {
        assembly ("memory-safe") {
            let lanes := PAIRS
            let end := add(a, n)
            for {} lt(a, end) { a := add(a, 32) } {
                let x := xor(calldataload(a), BIAS)
                let rest := sub(end, a)
                if lt(rest, 32) { x := and(x, not(shr(shl(3, rest), not(0)))) }
                x := add(and(x, lanes), and(shr(8, x), lanes))
                // the sum of all lanes, in the top one
                sum := add(sum, shr(240, mul(x, ONES)))
            }
            sum := sub(sum, shl(7, n))
        }
    }

    /// @notice Sum of `n` i16: low bytes, and biased high bytes 256 times.
    function sumOfI16(uint256 a, uint256 n) internal pure returns (int256 sum) {
        assembly ("memory-safe") {
            let lanes := PAIRS
            let end := add(a, shl(1, n))
            for {} lt(a, end) { a := add(a, 32) } {
                let x := xor(calldataload(a), 0x0080008000800080008000800080008000800080008000800080008000800080)
                let rest := sub(end, a)
                if lt(rest, 32) { x := and(x, not(shr(shl(3, rest), not(0)))) }
                sum := add(sum, shr(240, mul(and(shr(8, x), lanes), ONES)))
                sum := add(sum, shl(8, shr(240, mul(and(x, lanes), ONES))))
            }
            sum := sub(sum, shl(15, n))
        }
    }

    /// @dev With x' = x + 128: sum ab = sum a'b' - 128 (sum a' + sum b') + 128^2 n.
    function _i8i8(uint256 a, uint256 b, uint256 n) private pure returns (int256 sum) {
        assembly ("memory-safe") {
            let lanes := LANES
            let bias := BIAS
            let products := 0
            let sums := 0
            let end := add(a, n)
            for {} lt(a, end) {} {
                // past the end both are 0, which adds nothing
                let rest := sub(end, a)
                let x := xor(calldataload(a), bias)
                let y := xor(calldataload(b), bias)
                if lt(rest, 32) {
                    let keep := not(shr(shl(3, rest), not(0)))
                    x := and(x, keep)
                    y := and(y, keep)
                }
                a := add(a, 32)
                b := add(b, 32)

                // the lanes of y in reverse order
                let z := or(shl(128, y), shr(128, y))
                z := or(
                    and(shl(64, z), 0xffffffffffffffff0000000000000000ffffffffffffffff0000000000000000),
                    and(shr(64, z), 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff)
                )
                z := or(
                    and(shl(32, z), 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff00000000),
                    and(shr(32, z), 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                )

                let p := and(x, lanes)
                let q := and(z, lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
                p := and(shr(8, x), lanes)
                q := and(shr(8, z), lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
                p := and(shr(16, x), lanes)
                q := and(shr(16, z), lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
                p := and(shr(24, x), lanes)
                q := and(shr(24, z), lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
            }
            // the sum of all lanes, in the top one
            sums := shr(224, mul(sums, 0x0000000100000001000000010000000100000001000000010000000100000001))
            sum := add(sub(shr(224, products), shl(7, sums)), shl(14, n))
        }
    }

    /// @dev With a' = a + 2^15 = low + 256 high and b' = b + 2^7:
    ///      sum ab = sum low b' + 256 sum high b' - 2^7 sum a' - 2^15 sum b' + 2^22 n.
    function _i16i8(uint256 a, uint256 b, uint256 n) private pure returns (int256 sum) {
        assembly ("memory-safe") {
            let lanes := LANES
            let lows := 0 // of products
            let highs := 0
            let sumsA := 0 // low bytes in all
            let sumsH := 0 // high bytes in all
            let sumsB := 0
            let end := add(b, n)
            for {} lt(b, end) {} {
                // sixteen terms: a word of a, half a word of b; past the end both are 0
                let rest := sub(end, b)
                let x := xor(calldataload(a), 0x0080008000800080008000800080008000800080008000800080008000800080)
                let y := shr(128, xor(calldataload(b), BIAS))
                if lt(rest, 16) {
                    x := and(x, not(shr(shl(4, rest), not(0))))
                    y := and(y, shl(sub(128, shl(3, rest)), not(0)))
                }
                a := add(a, 32)
                b := add(b, 16)

                // bytes of y, one in each 16 bits; then the 32-bit lanes in reverse order
                y := and(or(y, shl(64, y)), 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff)
                y := and(or(y, shl(32, y)), 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                y := and(or(y, shl(16, y)), 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
                y := and(or(y, shl(8, y)), 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                y := or(shl(128, y), shr(128, y))
                y := or(
                    and(shl(64, y), 0xffffffffffffffff0000000000000000ffffffffffffffff0000000000000000),
                    and(shr(64, y), 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff)
                )
                y := or(
                    and(shl(32, y), 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff00000000),
                    and(shr(32, y), 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                )

                // an element of a is low byte, high byte: of a lane's four bytes the first two are one element
                let q := and(y, lanes)
                let l := and(shr(8, x), lanes)
                let h := and(x, lanes)
                lows := add(lows, mul(l, q))
                highs := add(highs, mul(h, q))
                sumsA := add(sumsA, l)
                sumsH := add(sumsH, h)
                sumsB := add(sumsB, q)
                q := and(shr(16, y), lanes)
                l := and(shr(24, x), lanes)
                h := and(shr(16, x), lanes)
                lows := add(lows, mul(l, q))
                highs := add(highs, mul(h, q))
                sumsA := add(sumsA, l)
                sumsH := add(sumsH, h)
                sumsB := add(sumsB, q)
            }
            let ones := 0x0000000100000001000000010000000100000001000000010000000100000001
            sumsA := add(shr(224, mul(sumsA, ones)), shl(8, shr(224, mul(sumsH, ones))))
            sumsB := shr(224, mul(sumsB, ones))
            sum := add(shr(224, lows), shl(8, shr(224, highs)))
            sum := add(sub(sub(sum, shl(7, sumsA)), shl(15, sumsB)), shl(22, n))
        }
    }
}
