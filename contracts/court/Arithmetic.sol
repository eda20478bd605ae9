// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What each operation computes, on i64 values that are sign-extended to the word.
/// @dev Total: no operand makes any of them revert.
library Arithmetic {
    uint256 internal constant ADD = 0x10;
    uint256 internal constant SUB = 0x11;
    uint256 internal constant MUL = 0x12;
    uint256 internal constant SELECT = 0x1d;

    uint256 private constant U64 = type(uint64).max;

    /// @notice The low 64 bits, sign-extended: an i64 that wraps.
    function wrap(int256 x) internal pure returns (int256 y) {
        assembly ("memory-safe") {
            y := signextend(7, x)
        }
    }

    /// @param op A code from 0x10 to 0x21. Operands in the order in which they were pushed; those it does not take are
    ///           ignored.
    function compute(uint256 op, int256 a, int256 b, int256 c) internal pure returns (int256) {
        // no sum, product or shift of two i64 leaves 256 bits
        unchecked {
            if (op < 0x16) {
                if (op < 0x13) return op == ADD ? wrap(a + b) : op == SUB ? wrap(a - b) : wrap(a * b);
                if (op == 0x13) return wrap(_roundingShift(a * b, _count(c)));
                return op == 0x14 ? wrap(a << _count(b)) : _roundingShift(a, _count(b));
            }
            if (op < 0x1b) {
                if (op < 0x19) return op == 0x16 ? a & b : op == 0x17 ? a | b : a ^ b;
                return (op == 0x19) == (a < b) ? a : b;
            }
            if (op < 0x1e) {
                if (op == SELECT) return a != 0 ? b : c;
                return (op == 0x1b ? a == b : a < b) ? int256(1) : int256(0);
            }
            if (op == 0x1e) return b == 0 ? int256(0) : wrap(int256(_u64(a) / _u64(b)));
            if (op == 0x1f) return int256(_squareRoot(_u64(a)));
            return op == 0x20 ? int256(_bitLength(_u64(a))) : wrap(int256(philox(_u64(a), _u64(b), _u64(c))));
        }
    }

    function _u64(int256 x) private pure returns (uint256) {
        return uint256(x) & U64;
    }

    /// @dev Shift counts are clamped to 0..63.
    function _count(int256 s) private pure returns (uint256) {
        return s < 0 ? 0 : s > 63 ? 63 : uint256(s);
    }

    /// @dev floor((a + 2^(s-1)) / 2^s): half up. The bit that is shifted out last is the half.
    function _roundingShift(int256 a, uint256 s) private pure returns (int256) {
        unchecked {
            return s == 0 ? a : (a >> s) + ((a >> (s - 1)) & 1);
        }
    }

    /// @dev Bits of a u64 without its leading zeros.
    function _bitLength(uint256 x) private pure returns (uint256 bits) {
        assembly ("memory-safe") {
            bits := shl(5, gt(x, 0xffffffff))
            bits := or(bits, shl(4, gt(shr(bits, x), 0xffff)))
            bits := or(bits, shl(3, gt(shr(bits, x), 0xff)))
            bits := or(bits, shl(2, gt(shr(bits, x), 0xf)))
            bits := or(bits, shl(1, gt(shr(bits, x), 3)))
            bits := or(bits, gt(shr(bits, x), 1))
            bits := add(bits, gt(x, 0))
        }
    }

    /// @dev Floor of the root of a u64. With 2^(e-1) <= root < 2^e the first guess 3/4 2^e is off by at most 2^(e-2), and
    ///      Newton's steps leave at most 2^(e-4.5), 2^(e-9), 2^(e-18), 2^(e-36) < 1, since e <= 32; all from above, but for
    ///      the floor. Written out for the price of a step: 900 gas is what the cost model allows for an operation.
    function _squareRoot(uint256 x) private pure returns (uint256 root) {
        uint256 e = (_bitLength(x) + 1) >> 1;
        assembly ("memory-safe") {
            root := shr(2, shl(e, 3)) // 0 for x = 0, and division by it is 0
            root := shr(1, add(root, div(x, root)))
            root := shr(1, add(root, div(x, root)))
            root := shr(1, add(root, div(x, root)))
            root := shr(1, add(root, div(x, root)))
            root := sub(root, gt(root, div(x, root)))
        }
    }

    /// @notice Words 0 and 1 (the high half) of Philox4x32-10 of the counter (a, b) under `key`; all u64.
    /// @dev Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    function philox(uint256 a, uint256 b, uint256 key) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            let mask := 0xffffffff
            let c0 := and(a, mask)
            let c1 := shr(32, a)
            let c2 := and(b, mask)
            let c3 := shr(32, b)
            // the key's words grow beyond 32 bits; what they are added to is masked
            let k0 := and(key, mask)
            let k1 := shr(32, key)
            for { let end := add(k0, mul(10, 0x9e3779b9)) } lt(k0, end) {} {
                let p := mul(0xd2511f53, c0)
                let q := mul(0xcd9e8d57, c2)
                c0 := and(xor(xor(shr(32, q), c1), k0), mask)
                c1 := and(q, mask)
                c2 := and(xor(xor(shr(32, p), c3), k1), mask)
                c3 := and(p, mask)
                k0 := add(k0, 0x9e3779b9)
                k1 := add(k1, 0xbb67ae85)
            }
            result := or(c0, shl(32, c1))
        }
    }
}
