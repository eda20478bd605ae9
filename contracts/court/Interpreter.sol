// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Calldata} from "./Calldata.sol";
import {CodeLib, Load} from "./Code.sol";
import {Operand} from "./Evidence.sol";
import {Frame, Loaded} from "./Frame.sol";
import {Value, ValueLib} from "./Value.sol";

/// @notice Walks an expression once. What is a scalar, or affine in k, is computed; what differs from term to term in any
///         other way is left as instructions for `Vectors`.
/// @dev Total on what `CodeLib.check` lets pass, but for leaves that are not opened.
library Interpreter {
    /// @notice The value of an expression all of whose entries are scalars.
    function scalar(Frame memory f, uint256 offset, uint256 end) internal pure returns (int256) {
        walk(f, offset, end);
        return f.stack[f.depth - 1].base();
    }

    /// @notice Leaves the result on the top of the stack.
    function walk(Frame memory f, uint256 offset, uint256 end) internal pure {
        f.depth = 0;
        f.loads = 0;
        f.length = 0;
        unchecked {
            while (offset < end) {
                (uint256 op, uint256 immediates, uint256 operands) = CodeLib.operationAt(offset);
                if (op >= Arithmetic.ADD) {
                    f.depth -= operands;
                    _compute(f, op, operands);
                } else if (op > CodeLib.PICK) {
                    f.depth -= operands;
                    _load(f, CodeLib.loadAt(offset), operands);
                } else if (op == CodeLib.PICK) {
                    _pick(f, Calldata.u8(offset + 1));
                } else if (op == CodeLib.VAR_K && f.isSum) {
                    f.push(ValueLib.affine(0, 1));
                } else {
                    f.pushScalar(_leaf(f, op, offset + 1));
                }
                offset += 1 + immediates;
            }
        }
    }

    /// @dev A literal or a variable.
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
        Value value = f.stack[from];
        if (value.isVector()) f.defer(CodeLib.PICK, from, 1, 0);
        else f.push(value);
    }

    function _compute(Frame memory f, uint256 op, uint256 operands) private pure {
        uint256 slot = f.depth;
        (Value a, Value b, Value c) = f.operands(slot);
        if (f.areScalar(slot, operands)) {
            f.pushScalar(Arithmetic.compute(op, a.base(), b.base(), c.base()));
        } else if (op > Arithmetic.MUL || !a.isAffine() || !b.isAffine()) {
            f.defer(op, slot, operands, 0);
        } else if (op != Arithmetic.MUL) {
            // both are affine: so are sum and difference, and the product if one is a scalar
            int256 step = Arithmetic.compute(op, a.step(), b.step(), 0);
            f.push(ValueLib.affine(Arithmetic.compute(op, a.base(), b.base(), 0), step));
        } else if (a.isScalar() || b.isScalar()) {
            int256 step = a.isScalar()
                ? Arithmetic.compute(op, a.base(), b.step(), 0)
                : Arithmetic.compute(op, a.step(), b.base(), 0);
            f.push(ValueLib.affine(Arithmetic.compute(op, a.base(), b.base(), 0), step));
        } else {
            f.defer(op, slot, 2, 0);
        }
    }

    /* LOADS */

    function _load(Frame memory f, Load memory load, uint256 operands) private pure {
        if (load.op == CodeLib.PREV && f.t == 0) return f.pushScalar(0);

        Loaded memory loaded = f.loaded[f.loads];
        _declare(f, load, loaded);
        uint256 slot = f.depth;
        if (f.areScalar(slot, operands)) {
            // step, row and column, or row and column
            uint256 last = slot + operands - 1;
            f.pushScalar(elementAt(f, loaded, f.stack[slot].base(), f.stack[last - 1].base(), f.stack[last].base()));
            return;
        }
        uint256 number = f.loads++;
        if (_isRun(f, loaded, slot, operands)) f.push(ValueLib.run(number));
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
            Value index = f.stack[slot + i];
            if (index.isScalar()) continue;
            if (!index.isAffine() || index.step() != 1 || along < operands) return false;
            along = i;
        }
        loaded.start = f.stack[slot + along].base();
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
            if (loaded.isStepFree) loaded.t = clamp(f.stack[slot].base(), operand.steps);
            loaded.count = operand.colsAt(loaded.t, f.evidence.T);
        }
        uint256 col = isAlongSteps ? clamp(f.stack[last].base(), operand.colsAt(0, f.evidence.T)) : 0;
        loaded.first = operand.elementAt(loaded.t, clamp(f.stack[last - 1].base(), operand.rows), col, f.evidence.T);
        return true;
    }
}
