// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a stack entry is as a function of k, in one word: 64 bits of base, 64 of step, 8 of a load's number, then
///         the shape. Affine: base + step * k, wrapping; a scalar where step is 0. Run: adjacent elements of one tensor.
///         Vector: anything, in the buffer of a stack slot, whose address is the base.
/// @dev One word an entry is what keeps long bodies within the cost model.
type Value is uint256;

using ValueLib for Value global;

library ValueLib {
    uint256 private constant RUN = 1 << 136;
    uint256 private constant VECTOR = 2 << 136;
    uint256 private constant U64 = type(uint64).max;

    function affine(int256 base_, int256 step_) internal pure returns (Value) {
        return Value.wrap(((uint256(step_) & U64) << 64) | (uint256(base_) & U64));
    }

    function run(uint256 load_) internal pure returns (Value) {
        return Value.wrap(RUN | (load_ << 128));
    }

    function vector(uint256 values_) internal pure returns (Value) {
        return Value.wrap(VECTOR | values_);
    }

    function isScalar(Value self) internal pure returns (bool) {
        return Value.unwrap(self) >> 64 == 0;
    }

    function isAffine(Value self) internal pure returns (bool) {
        return Value.unwrap(self) >> 128 == 0;
    }

    function isVector(Value self) internal pure returns (bool) {
        return Value.unwrap(self) >= VECTOR;
    }

    function isRun(Value self) internal pure returns (bool) {
        return Value.unwrap(self) >> 136 == 1;
    }

    function base(Value self) internal pure returns (int256 x) {
        assembly ("memory-safe") {
            x := signextend(7, self)
        }
    }

    function step(Value self) internal pure returns (int256 x) {
        assembly ("memory-safe") {
            x := signextend(7, shr(64, self))
        }
    }

    function load(Value self) internal pure returns (uint256) {
        return uint8(Value.unwrap(self) >> 128);
    }

    /// @notice Of a vector: the address of its values.
    function values(Value self) internal pure returns (uint256) {
        return uint64(Value.unwrap(self));
    }
}
