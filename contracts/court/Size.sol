// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Sizes as u32: kind in the top 2 bits, n in the low 30. Kind 0 is n, kind 1 is ceil(T / n), kind 2 is t + 1.
library Size {
    uint256 internal constant HISTORY = 2 << 30;

    // which kinds are legal, as a set of bits
    uint256 internal constant FIXED = 1;
    uint256 internal constant FIXED_OR_STEPS = 3;
    uint256 internal constant ANY = 7;

    function isLegal(uint256 size, uint256 kinds) internal pure returns (bool) {
        uint256 kind = size >> 30;
        uint256 n = size & (2 ** 30 - 1);
        return (kinds >> kind) & 1 == 1 && (kind == 2) == (n == 0);
    }

    /// @notice What a legal size is worth at step `t` of a job of `T` steps, at least 1.
    function valueAt(uint256 size, uint256 t, uint256 T) internal pure returns (uint256) {
        uint256 kind = size >> 30;
        uint256 n = size & (2 ** 30 - 1);
        if (kind == 0) return n;
        return kind == 1 ? (T + n - 1) / n : t + 1;
    }
}
