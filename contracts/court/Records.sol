// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Calldata} from "./Calldata.sol";
import {Size} from "./Size.sol";

/// @notice Records of a program in the calldata, named by the offset of their bytes.
/// @dev Tensor: u8 type, u32 rows, u32 cols. Stage: u8 order, u32 steps, then for each fold u8 type, u32 rows, u32 cols,
///      leaf(code). Nothing here reads beyond a record that is well-formed.
library Records {
    uint256 internal constant I32 = 2;
    uint256 internal constant LOOP = 2;

    uint256 private constant TENSOR_BYTES = 9;
    uint256 private constant STAGE_BYTES = 5; //  without its folds
    uint256 private constant FOLD_BYTES = 41;
    uint256 private constant LOOP_FOLDS = 16;
    uint256 private constant MAX_TENSOR_BYTES = 2 ** 40;

    /* TENSORS AND FOLDS: `decl` is the offset of type, rows, cols */

    function typeOf(uint256 decl) internal pure returns (uint256) {
        return Calldata.u8(decl);
    }

    function widthOf(uint256 decl) internal pure returns (uint256) {
        return 1 << Calldata.u8(decl);
    }

    function rowsOf(uint256 decl) internal pure returns (uint256) {
        return Calldata.u32(decl + 1);
    }

    function colsOf(uint256 decl) internal pure returns (uint256) {
        return Calldata.u32(decl + 5);
    }

    /* STAGES */

    function orderOf(uint256 stage) internal pure returns (uint256) {
        return Calldata.u8(stage);
    }

    function stepsOf(uint256 stage) internal pure returns (uint256) {
        return Calldata.u32(stage + 1);
    }

    function foldCount(uint256 recordBytes) internal pure returns (uint256) {
        return (recordBytes - STAGE_BYTES) / FOLD_BYTES;
    }

    function foldOf(uint256 stage, uint256 fold) internal pure returns (uint256 decl) {
        return stage + STAGE_BYTES + FOLD_BYTES * fold;
    }

    function codeLeafOf(uint256 decl) internal pure returns (bytes32) {
        return Calldata.hash(decl + 9);
    }

    /* WELL-FORMED */

    /// @param isClaimed A claimed tensor's sizes may follow the length of the job.
    function isMalformedTensor(
        uint256 decl,
        uint256 length,
        bool isClaimed,
        uint256 maxT
    ) internal pure returns (bool) {
        if (length != TENSOR_BYTES) return true;
        uint256 kinds = isClaimed ? Size.FIXED_OR_STEPS : Size.FIXED;
        if (_isMalformed(decl, kinds, kinds)) return true;
        uint256 elements = Size.valueAt(rowsOf(decl), 0, maxT) * Size.valueAt(colsOf(decl), 0, maxT);
        return elements * widthOf(decl) > MAX_TENSOR_BYTES;
    }

    function isMalformedStage(uint256 stage, uint256 length, uint256 maxT) internal pure returns (bool) {
        if (length < STAGE_BYTES + FOLD_BYTES || (length - STAGE_BYTES) % FOLD_BYTES != 0) return true;
        uint256 order = orderOf(stage);
        uint256 folds = foldCount(length);
        if (order > LOOP || folds > (order == LOOP ? LOOP_FOLDS : 1)) return true;
        if (!Size.isLegal(stepsOf(stage), Size.FIXED_OR_STEPS)) return true;

        uint256 steps = Size.valueAt(stepsOf(stage), 0, maxT);
        for (uint256 i = 0; i < folds; ++i) {
            uint256 decl = foldOf(stage, i);
            if (_isMalformed(decl, Size.FIXED_OR_STEPS, order == 1 ? Size.FIXED_OR_STEPS : Size.ANY)) return true;
            if (_largest(decl, order, steps, maxT) * widthOf(decl) > MAX_TENSOR_BYTES) return true;
        }
        return false;
    }

    function _isMalformed(uint256 decl, uint256 rowKinds, uint256 colKinds) private pure returns (bool) {
        return typeOf(decl) > 3 || !Size.isLegal(rowsOf(decl), rowKinds) || !Size.isLegal(colsOf(decl), colKinds);
    }

    /// @dev Elements at T = maxT of the tensor that holds a fold: of a loop its largest step, else all steps.
    function _largest(uint256 decl, uint256 order, uint256 steps, uint256 maxT) private pure returns (uint256) {
        uint256 rows = Size.valueAt(rowsOf(decl), 0, maxT);
        uint256 cols = colsOf(decl);
        bool isHistory = cols == Size.HISTORY;
        if (order == LOOP) return rows * (isHistory ? steps : Size.valueAt(cols, 0, maxT));
        return rows * steps * (isHistory ? steps + 1 : 2 * Size.valueAt(cols, 0, maxT)) / 2;
    }
}
