// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Calldata} from "./Calldata.sol";
import {CodeLib, Load} from "./Code.sol";
import {Operand} from "./Evidence.sol";
import {Frame, Loaded, Shape} from "./Frame.sol";
import {Records} from "./Records.sol";

/// @notice Walks an expression once. What is a scalar, or affine in k, is computed; what differs from term to term in any
///         other way is left as instructions for `Vectors`.
/// @dev Total on what `CodeLib.check` lets pass, but for leaves that are not opened.
library Interpreter {
    /// @notice The value of an expression all of whose entries are scalars.
    function scalar(Frame memory f, uint256 offset, uint256 end) internal pure returns (int256) {
        walk(f, offset, end);
        return f.base[f.depth - 1];
    }

    /// @notice Leaves the result on the top of the stack.
    function walk(Frame memory f, uint256 offset, uint256 end) internal pure {
        f.depth = 0;
        f.loads = 0;
        f.length = 0;
        while (offset < end) {
            uint256 op = Calldata.u8(offset);
            (uint256 immediates, uint256 operands) = CodeLib.shapeOf(op);
            if (op < CodeLib.PICK) {
                f.pushAffine(_leaf(f, op, offset + 1), op == CodeLib.VAR_K && f.isSum ? int256(1) : int256(0));
            } else if (op == CodeLib.PICK) {
                _pick(f, Calldata.u8(offset + 1));
            } else {
                f.depth -= operands;
                if (op <= CodeLib.PREV) _load(f, CodeLib.loadAt(offset), operands);
                else _compute(f, op, operands);
            }
            offset += 1 + immediates;
        }
    }

    /// @dev A literal or a variable; of k in a sum its value at the first term.
    function _leaf(Frame memory f, uint256 op, uint256 immediate) private pure returns (int256) {
        if (op == CodeLib.LIT8) return Calldata.signed(immediate, 1);
        if (op == CodeLib.LIT32) return Calldata.signed(immediate, 4);
        if (op == CodeLib.LIT64) return Calldata.signed(immediate, 8);
        if (op == CodeLib.VAR_T) return int256(f.t);
        if (op == CodeLib.VAR_R) return int256(f.r);
        if (op == CodeLib.VAR_C) return int256(f.c);
        if (op == CodeLib.VAR_K) return f.k;
        return op == CodeLib.VAR_LENGTH ? int256(f.evidence.T) : f.acc;
    }

    function _pick(Frame memory f, uint256 n) private pure {
        uint256 from = f.depth - 1 - n;
        if (f.shape[from] == Shape.AFFINE) f.pushAffine(f.base[from], f.step[from]);
        else if (f.shape[from] == Shape.RUN) f.pushRun(f.load[from]);
        else f.defer(CodeLib.PICK, from, 1, 0);
    }

    function _compute(Frame memory f, uint256 op, uint256 operands) private pure {
        uint256 slot = f.depth;
        (int256 a, int256 b) = (f.base[slot], f.base[slot + 1]);
        if (f.areScalar(slot, operands)) {
            f.pushAffine(Arithmetic.compute(op, a, b, f.base[slot + 2]), 0);
        } else if (op > Arithmetic.MUL || f.shape[slot] != Shape.AFFINE || f.shape[slot + 1] != Shape.AFFINE) {
            f.defer(op, slot, operands, 0);
        } else {
            // both are affine: so are sum and difference, and the product if one is a scalar
            (int256 stepA, int256 stepB) = (f.step[slot], f.step[slot + 1]);
            if (op != Arithmetic.MUL) {
                f.pushAffine(Arithmetic.compute(op, a, b, 0), Arithmetic.compute(op, stepA, stepB, 0));
            } else if (stepA == 0 || stepB == 0) {
                int256 step = stepA == 0 ? Arithmetic.compute(op, a, stepB, 0) : Arithmetic.compute(op, stepA, b, 0);
                f.pushAffine(Arithmetic.compute(op, a, b, 0), step);
            } else {
                f.defer(op, slot, 2, 0);
            }
        }
    }

    /* LOADS */

    function _load(Frame memory f, Load memory load, uint256 operands) private pure {
        if (load.op == CodeLib.PREV && f.t == 0) return f.pushAffine(0, 0);

        Loaded memory loaded = f.loaded[f.loads];
        _declare(f, load, loaded);
        uint256 slot = f.depth;
        if (f.areScalar(slot, operands)) {
            // step, row and column, or row and column
            uint256 last = slot + operands - 1;
            f.pushAffine(elementAt(f, loaded, f.base[slot], f.base[last - 1], f.base[last]), 0);
            return;
        }
        uint256 number = f.loads++;
        if (_isRun(f, loaded, slot, operands)) f.pushRun(number);
        else f.defer(load.op, slot, operands, number);
    }

    function _declare(Frame memory f, Load memory load, Loaded memory loaded) private pure {
        loaded.isStepFree = load.op == CodeLib.FOLD;
        if (load.op == CodeLib.TENSOR) loaded.operand = f.evidence.tensor(load.number);
        else loaded.operand = f.evidence.foldOf(load.op == CodeLib.FOLD ? load.number : f.stage, load.fold);
        loaded.t = load.op == CodeLib.NOW ? f.t : load.op == CodeLib.PREV ? f.t - 1 : 0;
    }

    /// @notice An element of a load, all indices clamped into range at the step to which they belong.
    /// @param step Ignored where the load has none.
    function elementAt(
        Frame memory f,
        Loaded memory loaded,
        int256 step,
        int256 row,
        int256 col
    ) internal pure returns (int256) {
        Operand memory operand = loaded.operand;
        uint256 t = loaded.isStepFree ? clamp(step, operand.steps) : loaded.t;
        uint256 cols = operand.colsAt(t, f.evidence.T);
        return f.evidence.element(operand, t, clamp(row, operand.rows), clamp(col, cols));
    }

    /// @notice An index in 0 .. count - 1.
    function clamp(int256 index, uint256 count) internal pure returns (uint256) {
        if (index < 0) return 0;
        return uint256(index) < count ? uint256(index) : count - 1;
    }

    /// @dev Whether one index moves by one with k, and with it the place of the element; then the place is filled in.
    ///      An index that wraps within the sum makes no run.
    function _isRun(Frame memory f, Loaded memory loaded, uint256 slot, uint256 operands) private pure returns (bool) {
        uint256 along = operands;
        for (uint256 i = 0; i < operands; ++i) {
            if (f.shape[slot + i] != Shape.AFFINE) return false;
            if (f.step[slot + i] == 0) continue;
            if (along < operands || f.step[slot + i] != 1) return false;
            along = i;
        }
        loaded.start = f.base[slot + along];
        if (loaded.start + int256(f.terms) - 1 > type(int64).max) return false;

        Operand memory operand = loaded.operand;
        uint256 last = slot + operands - 1;
        bool isAlongSteps = along == 0 && loaded.isStepFree;
        if (isAlongSteps) {
            bool isScalarFold = operand.order == 0 && operand.rows == 1 && operand.cols == 1;
            if (operand.order != 1 && !isScalarFold) return false;
            loaded.t = 0;
            loaded.count = operand.steps;
        } else {
            if (along != operands - 1 || (operand.isFold && operand.order == 1)) return false;
            if (loaded.isStepFree) loaded.t = clamp(f.base[slot], operand.steps);
            loaded.count = operand.colsAt(loaded.t, f.evidence.T);
        }
        uint256 col = isAlongSteps ? clamp(f.base[last], operand.colsAt(0, f.evidence.T)) : 0;
        loaded.first = operand.elementAt(loaded.t, clamp(f.base[last - 1], operand.rows), col, f.evidence.T);
        return true;
    }
}
