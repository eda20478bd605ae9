// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Little-endian numbers at an offset of the calldata. Beyond its end there are zeros.
library Calldata {
    function offsetOf(bytes calldata data) internal pure returns (uint256 offset) {
        assembly ("memory-safe") {
            offset := data.offset
        }
    }

    function u8(uint256 offset) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(0, calldataload(offset))
        }
    }

    function u16(uint256 offset) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            let word := calldataload(offset)
            value := or(byte(0, word), shl(8, byte(1, word)))
        }
    }

    function u32(uint256 offset) internal pure returns (uint256) {
        return u16(offset) | (u16(offset + 2) << 16);
    }

    function hash(uint256 offset) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := calldataload(offset)
        }
    }

    /// @notice A number in two's complement of 1, 2, 4 or 8 bytes.
    function signed(uint256 offset, uint256 width) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            // eight bytes, reversed by swapping halves of each half; those behind the number are now above it
            let x := shr(192, calldataload(offset))
            x := or(and(shr(8, x), 0x00ff00ff00ff00ff), shl(8, and(x, 0x00ff00ff00ff00ff)))
            x := or(and(shr(16, x), 0x0000ffff0000ffff), shl(16, and(x, 0x0000ffff0000ffff)))
            x := or(shr(32, x), shl(32, and(x, 0xffffffff)))
            value := signextend(sub(width, 1), x)
        }
    }
}
