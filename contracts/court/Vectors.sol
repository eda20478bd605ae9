// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Calldata} from "./Calldata.sol";
import {CodeLib} from "./Code.sol";
import {Dot} from "./Dot.sol";
import {Frame, FrameLib, Loaded, Shape} from "./Frame.sol";
import {Interpreter} from "./Interpreter.sol";

/// @notice Adds up an expression over k, after `Interpreter.walk`: up to 512 terms at a time, in one buffer for each stack
///         slot, so that memory is bounded whatever the expression is.
/// @dev Assembly in the loops over terms, which are what a refutation of a long sum costs.
library Vectors {
    uint256 private constant CHUNK = 512;

    /// @dev Operands and result of an operation on `n` terms: addresses of the first value of each, and what to add for
    ///      the next one, which is 0 for a scalar.
    struct Lanes {
        uint256 n;
        uint256 out;
        uint256 a;
        uint256 stepA;
        uint256 b;
        uint256 stepB;
        uint256 c;
        uint256 stepC;
    }

    /// @notice Sum over all terms of the top of the stack, wrapping.
    function sum(Frame memory f) internal pure returns (int256) {
        uint256 top = f.depth - 1;
        uint256 shape = f.shape[top];
        if (shape == Shape.AFFINE) {
            int256 n = int256(f.terms);
            return Arithmetic.wrap(n * f.base[top] + f.step[top] * (n * (n - 1) / 2));
        }
        if (shape == Shape.VECTOR && f.length == 1) {
            (bool isDot, int256 product) = _dot(f, f.program[0]);
            if (isDot) return Arithmetic.wrap(product);
        }

        int256 total = 0;
        for (uint256 k = 0; k < f.terms; k += CHUNK) {
            uint256 n = f.terms - k < CHUNK ? f.terms - k : CHUNK;
            for (uint256 i = 0; i < f.length; ++i) {
                _execute(f, f.program[i], k, n);
            }
            uint256 values = _buffer(f, top);
            if (shape == Shape.RUN) _fillRun(f, f.loaded[f.load[top]], values, k, n);
            total += _total(values, n);
        }
        return Arithmetic.wrap(total);
    }

    /* DOT PRODUCTS */

    /// @dev Product of two runs of i8, or of one of i16 and one of i8, none of which is clamped.
    function _dot(Frame memory f, uint256[] memory instruction) private pure returns (bool isDot, int256 product) {
        if (instruction[FrameLib.OP] != Arithmetic.MUL) return (false, 0);
        uint256 word = FrameLib.OPERANDS;
        if (instruction[word] != Shape.RUN || instruction[word + 4] != Shape.RUN) return (false, 0);
        Loaded memory a = f.loaded[instruction[word + 3]];
        Loaded memory b = f.loaded[instruction[word + 7]];
        if (b.operand.width > a.operand.width) (a, b) = (b, a);
        if (a.operand.width > 2 || b.operand.width != 1 || _isClamped(a, f.terms) || _isClamped(b, f.terms)) {
            return (false, 0);
        }

        uint256 k = 0;
        while (k < f.terms) {
            (uint256 dataA, uint256 n) = _open(f, a, uint256(a.start) + k, f.terms - k);
            uint256 dataB;
            (dataB, n) = _open(f, b, uint256(b.start) + k, n);
            product += a.operand.width == 1 ? Dot.i8i8(dataA, dataB, n) : Dot.i16i8(dataA, dataB, n);
            k += n;
        }
        return (true, product);
    }

    function _isClamped(Loaded memory run, uint256 terms) private pure returns (bool) {
        return run.start < 0 || uint256(run.start) + terms > run.count;
    }

    /// @dev Where the elements of a run from `index` on are, and how many of `wanted` lie in one opening, at least 1.
    function _open(
        Frame memory f,
        Loaded memory run,
        uint256 index,
        uint256 wanted
    ) private pure returns (uint256 data, uint256 n) {
        uint256 width = run.operand.width;
        uint256 end;
        (data, end) = f.evidence.find(run.operand, run.t, (run.first + index) * width);
        n = (end - data) / width;
        if (n > wanted) n = wanted;
    }

    /* INSTRUCTIONS */

    function _execute(Frame memory f, uint256[] memory instruction, uint256 k, uint256 n) private pure {
        uint256 op = instruction[FrameLib.OP];
        uint256 operands = (instruction.length - FrameLib.OPERANDS) / 4;
        Lanes memory lanes;
        lanes.n = n;
        lanes.out = _buffer(f, instruction[FrameLib.SLOT]);
        (lanes.a, lanes.stepA) = _operand(f, instruction, 0, k, n);
        (lanes.b, lanes.stepB) = operands > 1 ? _operand(f, instruction, 1, k, n) : (lanes.a, lanes.stepA);
        (lanes.c, lanes.stepC) = operands > 2 ? _operand(f, instruction, 2, k, n) : (lanes.b, lanes.stepB);

        if (op == Arithmetic.ADD) _add(lanes);
        else if (op == Arithmetic.SUB) _subtract(lanes);
        else if (op == Arithmetic.MUL) _multiply(lanes);
        else if (op == CodeLib.PICK) _copy(lanes);
        else if (op < Arithmetic.ADD) _gather(f, f.loaded[instruction[FrameLib.LOADED]], lanes);
        else _compute(op, lanes);
    }

    /// @dev Values of operand `i`. Those that are not in memory yet go to the buffer of the slot at which it lies.
    function _operand(
        Frame memory f,
        uint256[] memory instruction,
        uint256 i,
        uint256 k,
        uint256 n
    ) private pure returns (uint256 values, uint256 step) {
        uint256 word = FrameLib.OPERANDS + 4 * i;
        uint256 shape = instruction[word];
        if (shape == Shape.VECTOR) return (_buffer(f, instruction[word + 1]), 32);
        if (shape == Shape.AFFINE && instruction[word + 2] == 0) {
            assembly ("memory-safe") {
                values := add(add(instruction, 32), mul(32, add(word, 1)))
            }
            return (values, 0);
        }
        values = _buffer(f, instruction[FrameLib.SLOT] + i);
        if (shape == Shape.RUN) _fillRun(f, f.loaded[instruction[word + 3]], values, k, n);
        else _fillAffine(int256(instruction[word + 1]), int256(instruction[word + 2]), values, k, n);
        return (values, 32);
    }

    function _buffer(Frame memory f, uint256 slot) private pure returns (uint256 values) {
        if (f.buffers[slot].length == 0) f.buffers[slot] = new int256[](f.terms < CHUNK ? f.terms : CHUNK);
        int256[] memory buffer = f.buffers[slot];
        assembly ("memory-safe") {
            values := add(buffer, 32)
        }
    }

    /* LOOPS OVER TERMS */

    function _fillAffine(int256 base, int256 step, uint256 values, uint256 k, uint256 n) private pure {
        assembly ("memory-safe") {
            let value := add(base, mul(step, k))
            for { let end := add(values, shl(5, n)) } lt(values, end) { values := add(values, 32) } {
                mstore(values, signextend(7, value))
                value := add(value, step)
            }
        }
    }

    /// @dev Terms k .. k + n - 1 of a run: its first element for what lies before it, its elements, its last one.
    function _fillRun(Frame memory f, Loaded memory run, uint256 values, uint256 k, uint256 n) private pure {
        int256 start = run.start + int256(k);
        uint256 before = start >= 0 ? 0 : uint256(-start) < n ? uint256(-start) : n;
        uint256 index = start > 0 ? uint256(start) : 0;
        uint256 inside = index < run.count ? run.count - index : 0;
        if (inside > n - before) inside = n - before;

        if (before > 0) _fill(_at(f, run, 0), values, before);
        values += 32 * before;
        for (uint256 rest = inside; rest > 0;) {
            (uint256 data, uint256 taken) = _open(f, run, index, rest);
            if (run.operand.width == 1) _readBytes(data, values, taken);
            else _read(data, run.operand.width, values, taken);
            index += taken;
            values += 32 * taken;
            rest -= taken;
        }
        if (before + inside < n) _fill(_at(f, run, run.count - 1), values, n - before - inside);
    }

    function _at(Frame memory f, Loaded memory run, uint256 index) private pure returns (int256) {
        (uint256 data,) = _open(f, run, index, 1);
        return Calldata.signed(data, run.operand.width);
    }

    function _fill(int256 value, uint256 values, uint256 n) private pure {
        assembly ("memory-safe") {
            for { let end := add(values, shl(5, n)) } lt(values, end) { values := add(values, 32) } {
                mstore(values, value)
            }
        }
    }

    function _readBytes(uint256 data, uint256 values, uint256 n) private pure {
        assembly ("memory-safe") {
            for { let end := add(data, n) } lt(data, end) { data := add(data, 1) } {
                mstore(values, signextend(0, byte(0, calldataload(data))))
                values := add(values, 32)
            }
        }
    }

    function _read(uint256 data, uint256 width, uint256 values, uint256 n) private pure {
        unchecked {
            for (uint256 end = data + width * n; data < end; data += width) {
                int256 value = Calldata.signed(data, width);
                assembly ("memory-safe") {
                    mstore(values, value)
                }
                values += 32;
            }
        }
    }

    function _total(uint256 values, uint256 n) private pure returns (int256 total) {
        assembly ("memory-safe") {
            for { let end := add(values, shl(5, n)) } lt(values, end) { values := add(values, 32) } {
                total := add(total, mload(values))
            }
        }
    }

    // Addition, subtraction and multiplication are what long sums are made of: each has a loop of its own.

    function _add(Lanes memory lanes) private pure {
        assembly ("memory-safe") {
            let out := mload(add(lanes, 32))
            let a := mload(add(lanes, 64))
            let stepA := mload(add(lanes, 96))
            let b := mload(add(lanes, 128))
            let stepB := mload(add(lanes, 160))
            for { let end := add(out, shl(5, mload(lanes))) } lt(out, end) { out := add(out, 32) } {
                mstore(out, signextend(7, add(mload(a), mload(b))))
                a := add(a, stepA)
                b := add(b, stepB)
            }
        }
    }

    function _subtract(Lanes memory lanes) private pure {
        assembly ("memory-safe") {
            let out := mload(add(lanes, 32))
            let a := mload(add(lanes, 64))
            let stepA := mload(add(lanes, 96))
            let b := mload(add(lanes, 128))
            let stepB := mload(add(lanes, 160))
            for { let end := add(out, shl(5, mload(lanes))) } lt(out, end) { out := add(out, 32) } {
                mstore(out, signextend(7, sub(mload(a), mload(b))))
                a := add(a, stepA)
                b := add(b, stepB)
            }
        }
    }

    function _multiply(Lanes memory lanes) private pure {
        assembly ("memory-safe") {
            let out := mload(add(lanes, 32))
            let a := mload(add(lanes, 64))
            let stepA := mload(add(lanes, 96))
            let b := mload(add(lanes, 128))
            let stepB := mload(add(lanes, 160))
            for { let end := add(out, shl(5, mload(lanes))) } lt(out, end) { out := add(out, 32) } {
                mstore(out, signextend(7, mul(mload(a), mload(b))))
                a := add(a, stepA)
                b := add(b, stepB)
            }
        }
    }

    function _copy(Lanes memory lanes) private pure {
        (uint256 out, uint256 from, uint256 bytes_) = (lanes.out, lanes.a, 32 * lanes.n);
        assembly ("memory-safe") {
            mcopy(out, from, bytes_)
        }
    }

    function _compute(uint256 op, Lanes memory lanes) private pure {
        unchecked {
            for (uint256 i = 0; i < lanes.n; ++i) {
                (int256 a, int256 b, int256 c) = _operandsAt(lanes, i);
                _store(lanes, i, Arithmetic.compute(op, a, b, c));
            }
        }
    }

    /// @dev A load of any place for each term. Its row and column are the last two indices.
    function _gather(Frame memory f, Loaded memory loaded, Lanes memory lanes) private pure {
        for (uint256 i = 0; i < lanes.n; ++i) {
            (int256 a, int256 b, int256 c) = _operandsAt(lanes, i);
            int256 value = loaded.isStepFree
                ? Interpreter.elementAt(f, loaded, a, b, c)
                : Interpreter.elementAt(f, loaded, 0, a, b);
            _store(lanes, i, value);
        }
    }

    function _operandsAt(Lanes memory lanes, uint256 i) private pure returns (int256 a, int256 b, int256 c) {
        assembly ("memory-safe") {
            a := mload(add(mload(add(lanes, 64)), mul(i, mload(add(lanes, 96)))))
            b := mload(add(mload(add(lanes, 128)), mul(i, mload(add(lanes, 160)))))
            c := mload(add(mload(add(lanes, 192)), mul(i, mload(add(lanes, 224)))))
        }
    }

    function _store(Lanes memory lanes, uint256 i, int256 value) private pure {
        assembly ("memory-safe") {
            mstore(add(mload(add(lanes, 32)), shl(5, i)), value)
        }
    }
}
