// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arithmetic} from "./Arithmetic.sol";
import {Calldata} from "./Calldata.sol";
import {CodeLib} from "./Code.sol";
import {Dot} from "./Dot.sol";
import {Frame, FrameLib, Loaded} from "./Frame.sol";
import {Interpreter} from "./Interpreter.sol";
import {Value} from "./Value.sol";

/// @notice Adds up an expression over k, after `Interpreter.walk`: up to 512 terms at a time, in one buffer for each stack
///         slot, so that memory is bounded whatever the expression is.
/// @dev Assembly in the loops over terms, which are what a refutation of a long sum costs.
library Vectors {
    uint256 private constant CHUNK = FrameLib.CHUNK;

    /// @dev Addresses of the first of `n` values of an operation's result and of its operands.
    struct Lanes {
        uint256 n;
        uint256 out;
        uint256 a;
        uint256 b;
        uint256 c;
    }

    /// @notice Sum over all terms of the top of the stack, wrapping.
    function sum(Frame memory f) internal pure returns (int256) {
        uint256 top = f.depth - 1;
        Value value = f.stack[top];
        if (value.isAffine()) {
            int256 n = int256(f.terms);
            return Arithmetic.wrap(n * value.base() + value.step() * (n * (n - 1) / 2));
        }
        if (value.isVector() && f.length == 1) {
            (bool isDot, int256 product) = _dot(f);
            if (isDot) return Arithmetic.wrap(product);
        }

        int256 total = 0;
        Lanes memory lanes;
        for (uint256 k = 0; k < f.terms; k += CHUNK) {
            lanes.n = f.terms - k < CHUNK ? f.terms - k : CHUNK;
            for (uint256 i = 0; i < f.length; ++i) {
                _execute(f, lanes, i, k);
            }
            total += _total(_values(f, value, top, k, lanes.n), lanes.n);
        }
        return Arithmetic.wrap(total);
    }

    /* DOT PRODUCTS */

    /// @dev Product of two runs of i8, or of one of i16 and one of i8. Where a run is clamped it is a constant: a term
    ///      there must cost no more than one within, or an element of a fold could cost more than a transaction may.
    function _dot(Frame memory f) private pure returns (bool isDot, int256 product) {
        (uint256 head, Value x, Value y,) = f.instruction(0);
        if (uint8(head) != Arithmetic.MUL || !x.isRun() || !y.isRun()) return (false, 0);
        Loaded memory a = f.loaded[x.load()];
        Loaded memory b = f.loaded[y.load()];
        if (b.operand.width > a.operand.width) (a, b) = (b, a);
        if (a.operand.width > 2 || b.operand.width != 1) return (false, 0);

        uint256 k = 0;
        while (k < f.terms) {
            (bool isWithinA, uint256 n) = _piece(a, k, f.terms - k);
            bool isWithinB;
            (isWithinB, n) = _piece(b, k, n);
            if (isWithinA && isWithinB) product += _dotWithin(f, a, b, k, n);
            else if (isWithinA) product += _clamped(f, b, k) * _sumWithin(f, a, k, n);
            else if (isWithinB) product += _clamped(f, a, k) * _sumWithin(f, b, k, n);
            else product += _clamped(f, a, k) * _clamped(f, b, k) * int256(n);
            k += n;
        }
        return (true, product);
    }

    /// @dev Whether term k lies within a run, and how many of `wanted` terms from there on are alike in that.
    function _piece(Loaded memory run, uint256 k, uint256 wanted) private pure returns (bool isWithin, uint256 n) {
        int256 index = run.start + int256(k);
        n = wanted;
        uint256 limit = wanted;
        if (index < 0) limit = uint256(-index);
        else if (uint256(index) < run.count) (isWithin, limit) = (true, run.count - uint256(index));
        if (limit < n) n = limit;
    }

    /// @dev The value of a run at a term at which it is clamped.
    function _clamped(Frame memory f, Loaded memory run, uint256 k) private pure returns (int256) {
        return _at(f, run, run.start + int256(k) < 0 ? 0 : run.count - 1);
    }

    function _dotWithin(
        Frame memory f,
        Loaded memory a,
        Loaded memory b,
        uint256 k,
        uint256 terms
    ) private pure returns (int256 product) {
        (uint256 indexA, uint256 indexB) = (uint256(a.start + int256(k)), uint256(b.start + int256(k)));
        for (uint256 done = 0; done < terms;) {
            (uint256 dataA, uint256 n) = _open(f, a, indexA + done, terms - done);
            uint256 dataB;
            (dataB, n) = _open(f, b, indexB + done, n);
            product += a.operand.width == 1 ? Dot.i8i8(dataA, dataB, n) : Dot.i16i8(dataA, dataB, n);
            done += n;
        }
    }

    function _sumWithin(
        Frame memory f,
        Loaded memory run,
        uint256 k,
        uint256 terms
    ) private pure returns (int256 sum_) {
        uint256 index = uint256(run.start + int256(k));
        for (uint256 done = 0; done < terms;) {
            (uint256 data, uint256 n) = _open(f, run, index + done, terms - done);
            sum_ += run.operand.width == 1 ? Dot.sumOfI8(data, n) : Dot.sumOfI16(data, n);
            done += n;
        }
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

    /// @dev Instruction `i` for terms k .. k + lanes.n - 1. See `FrameLib.defer`.
    function _execute(Frame memory f, Lanes memory lanes, uint256 i, uint256 k) private pure {
        (uint256 head, Value a, Value b, Value c) = f.instruction(i);
        unchecked {
            uint256 slot = uint8(head >> 16);
            lanes.out = head >> 32;
            lanes.a = lanes.b = lanes.c = _values(f, a, slot, k, lanes.n);
            if (uint8(head >> 8) > 1) lanes.b = _values(f, b, slot + 1, k, lanes.n);
            if (uint8(head >> 8) > 2) lanes.c = _values(f, c, slot + 2, k, lanes.n);
        }
        uint256 op = uint8(head);
        if (op == CodeLib.PICK) _copy(lanes);
        else if (op < Arithmetic.ADD) _gather(f, f.loaded[uint8(head >> 24)], lanes);
        else if (op <= Arithmetic.MUL) _ring(op, lanes);
        else _compute(op, lanes);
    }

    /// @dev Where the `n` values of an entry are. Those that are in no buffer yet go to that of the slot at which it lies.
    function _values(
        Frame memory f,
        Value value,
        uint256 slot,
        uint256 k,
        uint256 n
    ) private pure returns (uint256 values) {
        if (value.isVector()) return value.values();
        values = f.buffer(slot);
        if (value.isAffine()) _fillAffine(value.base(), value.step(), values, k, n);
        else _fillRun(f, f.loaded[value.load()], values, k, n);
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
            _read(data, run.operand.width, values, taken);
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

    /// @dev `n` elements. A word is turned round as a whole: then its first element is in its lowest bits.
    function _read(uint256 data, uint256 width, uint256 values, uint256 n) private pure {
        assembly ("memory-safe") {
            let bits := shl(3, width)
            let last := sub(width, 1)
            let end := add(values, shl(5, n))
            for {} lt(values, end) { data := add(data, 32) } {
                let x := calldataload(data)
                x := or(
                    and(shr(8, x), 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff),
                    shl(8, and(x, 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff))
                )
                x := or(
                    and(shr(16, x), 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff),
                    shl(16, and(x, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff))
                )
                x := or(
                    and(shr(32, x), 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff),
                    shl(32, and(x, 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff))
                )
                x := or(
                    and(shr(64, x), 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff),
                    shl(64, and(x, 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff))
                )
                x := or(shr(128, x), shl(128, x))
                let next := add(values, div(1024, width)) // a word of elements later
                if lt(end, next) { next := end }
                for {} lt(values, next) { values := add(values, 32) } {
                    mstore(values, signextend(last, x))
                    x := shr(bits, x)
                }
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

    /// @dev Addition, subtraction, multiplication: what long sums are made of, each with a loop of its own.
    function _ring(uint256 op, Lanes memory lanes) private pure {
        assembly ("memory-safe") {
            let out := mload(add(lanes, 32))
            let end := add(out, shl(5, mload(lanes)))
            // distances from the result
            let a := sub(mload(add(lanes, 64)), out)
            let b := sub(mload(add(lanes, 96)), out)
            switch op
            case 0x10 {
                for {} lt(out, end) { out := add(out, 32) } {
                    mstore(out, signextend(7, add(mload(add(out, a)), mload(add(out, b)))))
                }
            }
            case 0x11 {
                for {} lt(out, end) { out := add(out, 32) } {
                    mstore(out, signextend(7, sub(mload(add(out, a)), mload(add(out, b)))))
                }
            }
            default {
                for {} lt(out, end) { out := add(out, 32) } {
                    mstore(out, signextend(7, mul(mload(add(out, a)), mload(add(out, b)))))
                }
            }
        }
    }

    function _compute(uint256 op, Lanes memory lanes) private pure {
        unchecked {
            uint256 out = lanes.out;
            // distances from the result, modulo 2^256
            (uint256 toA, uint256 toB, uint256 toC) = (lanes.a - out, lanes.b - out, lanes.c - out);
            for (uint256 end = out + 32 * lanes.n; out < end; out += 32) {
                int256 a;
                int256 b;
                int256 c;
                assembly ("memory-safe") {
                    a := mload(add(out, toA))
                    b := mload(add(out, toB))
                    c := mload(add(out, toC))
                }
                a = Arithmetic.compute(op, a, b, c);
                assembly ("memory-safe") {
                    mstore(out, a)
                }
            }
        }
    }

    function _copy(Lanes memory lanes) private pure {
        (uint256 out, uint256 from, uint256 size) = (lanes.out, lanes.a, 32 * lanes.n);
        assembly ("memory-safe") {
            mcopy(out, from, size)
        }
    }

    /// @dev A load of any place for each term. Its row and column are the last two indices.
    function _gather(Frame memory f, Loaded memory loaded, Lanes memory lanes) private pure {
        for (uint256 i = 0; i < 32 * lanes.n; i += 32) {
            (int256 a, int256 b, int256 c) = (_get(lanes.a + i), _get(lanes.b + i), _get(lanes.c + i));
            int256 value = loaded.isStepFree
                ? Interpreter.elementAt(f, loaded, a, b, c)
                : Interpreter.elementAt(f, loaded, 0, a, b);
            uint256 out = lanes.out + i;
            assembly ("memory-safe") {
                mstore(out, value)
            }
        }
    }

    function _get(uint256 pointer) private pure returns (int256 value) {
        assembly ("memory-safe") {
            value := mload(pointer)
        }
    }
}
