// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Code} from "./Code.sol";
import {Evidence, Operand} from "./Evidence.sol";
import {Value, ValueLib} from "./Value.sol";

/// @notice The element that is computed, and the stack of its expression.
/// @dev Outside of sums k is a number and every entry is a scalar.
struct Frame {
    Evidence evidence;
    Code code; //           of the fold
    Operand own; //         the fold itself
    uint256 stage;
    uint256 fold;
    uint256 t;
    uint256 r;
    uint256 c;
    int256 k;
    int256 acc;
    bool isSum; //          k runs from 0 to terms - 1
    uint256 terms;
    uint256 depth; //       entries on the stack
    Value[] stack;
    Loaded[] loaded; //     loads of the expression whose place depends on k
    uint256 loads; //       how many there are so far
    uint256[] program; //   what has to be done for every k: words as `FrameLib.defer` lays them out
    uint256 length; //      of `program`, in instructions
    uint256[] buffers; //   addresses of a vector's values, one for each slot; 0 where there are none yet
}

/// @notice A load whose place depends on k.
struct Loaded {
    Operand operand;
    bool isStepFree; // the step is an index of the load; else it is `t`
    uint256 t;
    // of a run: places that move by one with k, along a column or along steps that lie side by side
    uint256 first; //    number of the element at index 0
    int256 start; //     index at k = 0; start + k is an i64 for all k
    uint256 count; //    indices are clamped to 0 .. count - 1
}

using FrameLib for Frame global;

library FrameLib {
    /// @dev Two slots more than the stack may hold, so that three operands can be read wherever one is.
    uint256 private constant SLOTS = 34;
    /// @dev Terms that are computed at once.
    uint256 internal constant CHUNK = 512;

    function prepare(Frame memory self) internal pure {
        self.stack = new Value[](SLOTS);
        self.loaded = new Loaded[](self.code.loads.length);
        if (self.isSum) {
            // at most one instruction for each byte of the body
            self.program = new uint256[](4 * (self.code.finish - self.code.body));
            self.buffers = new uint256[](SLOTS);
        }
    }

    function push(Frame memory self, Value value) internal pure {
        self.stack[self.depth++] = value;
    }

    function pushScalar(Frame memory self, int256 value) internal pure {
        self.push(ValueLib.affine(value, 0));
    }

    /// @notice Whether the `n` (1 to 3) entries from `slot` on are the same for all k.
    function areScalar(Frame memory self, uint256 slot, uint256 n) internal pure returns (bool) {
        (Value a, Value b, Value c) = self.operands(slot);
        uint256 bits = Value.unwrap(a);
        if (n > 1) bits |= Value.unwrap(b);
        if (n > 2) bits |= Value.unwrap(c);
        return Value.wrap(bits).isScalar();
    }

    /// @notice The three entries from `slot` on, the last of them perhaps beyond the top.
    /// @dev A slot is at most 31, since no expression holds more than 32 entries: nothing is read outside of the stack.
    function operands(Frame memory self, uint256 slot) internal pure returns (Value a, Value b, Value c) {
        Value[] memory stack = self.stack;
        assembly ("memory-safe") {
            let pointer := add(add(stack, 32), shl(5, slot))
            a := mload(pointer)
            b := mload(add(pointer, 32))
            c := mload(add(pointer, 64))
        }
    }

    /// @notice Leaves an operation to be done for every k, and pushes its result. Its operands lie from the new top's slot
    ///         on, but for a copy.
    /// @dev An instruction is four words: op, number of operands, slot of the result and load, a byte each from the lowest
    ///      on, and the address of the result's values; then three operands, of which those that are not taken mean nothing.
    /// @param load Of a load: its number in `loaded`.
    function defer(Frame memory self, uint256 op, uint256 from, uint256 taken, uint256 load) internal pure {
        uint256 slot = self.depth;
        uint256[] memory program = self.program;
        Value[] memory stack = self.stack;
        uint256 values = self.buffer(slot);
        Value result = ValueLib.vector(values);
        unchecked {
            uint256 word = 4 * self.length++;
            self.depth = slot + 1;
            // an instruction is one byte of the body at least, and the program has four words for each
            assembly ("memory-safe") {
                let pointer := add(add(program, 32), shl(5, word))
                mstore(pointer, or(or(or(op, shl(8, taken)), or(shl(16, slot), shl(24, load))), shl(32, values)))
                mcopy(add(pointer, 32), add(add(stack, 32), shl(5, from)), 96)
                mstore(add(add(stack, 32), shl(5, slot)), result)
            }
        }
    }

    /// @notice Address of the values that belong to a slot: one buffer each, whatever the expression is.
    function buffer(Frame memory self, uint256 slot) internal pure returns (uint256 values) {
        values = self.buffers[slot];
        if (values != 0) return values;
        int256[] memory fresh = new int256[](self.terms < CHUNK ? self.terms : CHUNK);
        assembly ("memory-safe") {
            values := add(fresh, 32)
        }
        self.buffers[slot] = values;
    }

    /// @notice Instruction `i` as `defer` laid it out, where there is one.
    function instruction(Frame memory self, uint256 i) internal pure returns (uint256 head, Value a, Value b, Value c) {
        uint256[] memory program = self.program;
        assembly ("memory-safe") {
            let pointer := add(add(program, 32), shl(7, i))
            head := mload(pointer)
            a := mload(add(pointer, 32))
            b := mload(add(pointer, 64))
            c := mload(add(pointer, 96))
        }
    }
}
