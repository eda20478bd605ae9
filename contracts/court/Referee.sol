// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Calldata} from "./Calldata.sol";
import {Code, CodeLib} from "./Code.sol";
import {Evidence, Operand} from "./Evidence.sol";
import {Frame} from "./Frame.sol";
import {HeaderLib} from "./Header.sol";
import {IReferee, Opening, Record, Statement, Target} from "./IReferee.sol";
import {Interpreter} from "./Interpreter.sol";
import {Records} from "./Records.sol";
import {Sha256} from "./Sha256.sol";
import {Size} from "./Size.sol";
import {Vectors} from "./Vectors.sol";

/// @title Referee
/// @notice Recomputes one element of a job from opened leaves. Holds nothing and asks nobody.
/// @dev Whatever says true follows from bytes under the statement's roots and the trace's. What the challenger chooses
///      beyond them can only make the call revert.
contract Referee is IReferee {
    /// @inheritdoc IReferee
    function refute(
        Statement calldata s,
        bytes32 traceRoot,
        Target calldata target,
        Record[] calldata records,
        bytes calldata code,
        Opening[] calldata openings
    ) external view returns (bool) {
        Evidence memory evidence;
        evidence.header = HeaderLib.decode(s.header);
        evidence.T = s.T;
        if (evidence.header.isMalformed() || s.T == 0 || s.T > evidence.header.maxT) return true;
        if (evidence.takeRecords(s.programRoot, records)) return true;

        (bool malformed, Code memory parts) = _proveCode(evidence, target, code);
        if (malformed || _isLoadMissing(evidence, target, parts.loads)) return true;

        Frame memory f;
        f.evidence = evidence;
        f.code = parts;
        _place(f, target);
        evidence.takeOpenings(s, traceRoot, openings);
        if (!_isWrong(f, target.j)) revert NotRefuted();
        return true;
    }

    /* PROGRAM */

    /// @dev Compares the code with the record of the target's fold, then looks whether it is well-formed.
    function _proveCode(
        Evidence memory evidence,
        Target calldata target,
        bytes calldata code
    ) private view returns (bool malformed, Code memory parts) {
        if (target.stage >= evidence.header.stages) _badTarget(target);
        (uint256 record, uint256 folds) = evidence.stageRecord(target.stage);
        if (target.fold >= folds) _badTarget(target);
        uint256 decl = Records.foldOf(record, target.fold);
        if (Sha256.leaf(Calldata.offsetOf(code), code.length) != Records.codeLeafOf(decl)) {
            revert BadCode(target.stage, target.fold);
        }
        return CodeLib.check(code, Records.typeOf(decl), Records.orderOf(record) == Records.LOOP);
    }

    /// @dev Whether a load names what is not there. Loads that the code's own stage decides come first, so that no other
    ///      record is needed to show one of them.
    function _isLoadMissing(
        Evidence memory evidence,
        Target calldata target,
        uint256[] memory loads
    ) private pure returns (bool) {
        (, uint256 folds) = evidence.stageRecord(target.stage);
        for (uint256 i = 0; i < loads.length; ++i) {
            if (evidence.isMissing(CodeLib.loadAt(loads[i]), target.stage, target.fold, folds)) return true;
        }
        for (uint256 i = 0; i < loads.length; ++i) {
            if (evidence.isFoldMissing(CodeLib.loadAt(loads[i]))) return true;
        }
        return false;
    }

    /// @dev The target, if it is an element of its fold.
    function _place(Frame memory f, Target calldata target) private pure {
        f.own = f.evidence.foldOf(target.stage, target.fold);
        (f.stage, f.fold, f.t, f.r, f.c) = (target.stage, target.fold, target.t, target.r, target.c);
        f.terms = f.code.combine == CodeLib.NONE ? 1 : Size.valueAt(f.code.axis, f.t, f.evidence.T);
        if (f.t >= f.own.steps || f.r >= f.own.rows || f.c >= f.own.colsAt(f.t, f.evidence.T)) _badTarget(target);
        if (f.code.combine == CodeLib.ARGMAX && target.j >= f.terms) _badTarget(target);
    }

    function _badTarget(Target calldata target) private pure {
        revert BadTarget(target.stage, target.fold, target.t, target.r, target.c, target.j);
    }

    /* ELEMENT */

    /// @dev Whether the claimed element says that the statement is false, or does not follow from its operands.
    function _isWrong(Frame memory f, uint256 j) private pure returns (bool) {
        int256 claimed = f.evidence.element(f.own, f.t, f.r, f.c);
        if (f.stage + 1 == f.evidence.header.stages && claimed != 1) return true;

        f.isSum = f.code.combine == CodeLib.SUM && f.terms > 1; // a single term is a scalar: k is 0
        f.prepare();
        if (f.code.combine == CodeLib.ARGMAX) return _isBeaten(f, claimed, j);
        return _saturate(_value(f), f.own.width) != claimed;
    }

    /// @dev Whether `claimed` is no index, or index `j` shows that it is not the lowest of the greatest values.
    function _isBeaten(Frame memory f, int256 claimed, uint256 j) private pure returns (bool) {
        if (claimed < 0 || uint256(claimed) >= f.terms) return true;
        f.k = claimed;
        int256 best = Interpreter.scalar(f, f.code.body, f.code.finish);
        f.k = int256(j);
        int256 other = Interpreter.scalar(f, f.code.body, f.code.finish);
        return other > best || (other == best && f.k < claimed);
    }

    function _value(Frame memory f) private pure returns (int256 value) {
        if (f.isSum) {
            Interpreter.walk(f, f.code.body, f.code.finish);
            value = Vectors.sum(f);
        } else {
            value = Interpreter.scalar(f, f.code.body, f.code.finish);
        }
        if (f.code.finish == f.code.end) return value;

        f.isSum = false;
        f.acc = value;
        return Interpreter.scalar(f, f.code.finish, f.code.end);
    }

    function _saturate(int256 value, uint256 width) private pure returns (int256) {
        int256 limit = int256(1 << (8 * width - 1));
        return value < -limit ? -limit : value >= limit ? limit - 1 : value;
    }
}
