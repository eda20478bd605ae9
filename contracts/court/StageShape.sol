// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title StageShape
/// @notice How long the lists under a stage are, by its record and the length T of the job. A record is u8 order, u32 steps,
///         then for each fold u8 type, u32 rows, u32 cols and the 32 bytes of leaf(code); little-endian.
/// @dev Total, and 0 for whatever is malformed: no list of a well-formed program is empty.
library StageShape {
    uint8 internal constant LOOP = 2; // the order of a stage that is a list of steps
    uint256 private constant HEAD_BYTES = 5;
    uint256 private constant FOLD_BYTES = 41;
    uint256 private constant MAX_FOLDS = 16;
    uint256 private constant MAX_TENSOR_BYTES = 1 << 40;

    /// @dev Bytes of a record with `count` folds exactly, or 0.
    function folds(bytes calldata record) internal pure returns (uint256 count) {
        if (record.length < HEAD_BYTES || uint8(record[0]) > LOOP) return 0;
        if ((record.length - HEAD_BYTES) % FOLD_BYTES != 0) return 0;
        count = (record.length - HEAD_BYTES) / FOLD_BYTES;
        if (count > (isLoop(record) ? MAX_FOLDS : 1)) return 0;
    }

    /// @dev `record` has folds.
    function isLoop(bytes calldata record) internal pure returns (bool) {
        return uint8(record[0]) == LOOP;
    }

    /// @dev `record` has folds. Below 2^32.
    function steps(bytes calldata record, uint32 T) internal pure returns (uint256) {
        return _fixedSize(_u32(record, 1), T);
    }

    /// @dev Bytes of the tensor of `fold`, which `record` has; of a loop it is that of step `t`.
    function tensorBytes(
        bytes calldata record,
        uint256 fold,
        uint256 t,
        uint32 T
    ) internal pure returns (uint256 size) {
        uint256 offset = HEAD_BYTES + FOLD_BYTES * fold;
        uint8 elementType = uint8(record[offset]);
        if (elementType > 3) return 0;
        uint32 cols = _u32(record, offset + 5);
        uint256 S = steps(record, T);
        uint8 order = uint8(record[0]);

        // every factor is below 2^32, S (S + 1) / 2 below 2^63, and an element has at most 8 bytes: below 2^102
        size = _fixedSize(_u32(record, offset + 1), T) << elementType;
        if (cols >> 30 != 2) {
            size *= _fixedSize(cols, T);
            if (order != LOOP) size *= S;
        } else if (cols << 2 != 0 || order == 1) {
            return 0; // columns that grow with the step have no number, and no place where steps are innermost
        } else {
            size *= order == LOOP ? t + 1 : S * (S + 1) / 2;
        }
        if (size > MAX_TENSOR_BYTES) return 0;
    }

    /// @dev A size is kind (2 bits) and n (30 bits): n itself, or T / n rounded up.
    function _fixedSize(uint32 size, uint32 T) private pure returns (uint256) {
        uint256 n = size & 0x3fffffff;
        if (size >> 30 == 0) return n;
        if (size >> 30 == 1 && n > 0) return (uint256(T) + n - 1) / n;
        return 0;
    }

    function _u32(bytes calldata data, uint256 offset) private pure returns (uint32) {
        return uint32(uint8(data[offset])) | uint32(uint8(data[offset + 1])) << 8 | uint32(uint8(data[offset + 2]))
            << 16 | uint32(uint8(data[offset + 3])) << 24;
    }
}
