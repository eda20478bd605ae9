// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Code} from "./Code.sol";
import {Evidence, Operand} from "./Evidence.sol";

/// @notice What a stack entry is as a function of k.
/// @dev AFFINE: base + step * k, wrapping; a scalar where step is 0. RUN: adjacent elements of one tensor. VECTOR: anything,
///      in the buffer of the stack slot at which it lies.
library Shape {
    uint256 internal constant AFFINE = 0;
    uint256 internal constant RUN = 1;
    uint256 internal constant VECTOR = 2;
}

/// @notice The element that is computed, and the stack of its expression.
/// @dev Outside of sums `terms` is 1, k is a number and every entry is a scalar.
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
    uint256 depth; //       entries on the stack, one in each slot of these four:
    uint256[] shape;
    int256[] base;
    int256[] step;
    uint256[] load; //      of a run: its number in `loaded`
    Loaded[] loaded; //     loads of the expression so far
    uint256 loads;
    uint256[][] program; // what has to be done for every k: see `FrameLib.defer`
    uint256 length;
    int256[][] buffers; //  of values of a vector, one for each slot, made when it is needed
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

    // words of an instruction
    uint256 internal constant OP = 0;
    uint256 internal constant SLOT = 1; // of the result; operands lie from there on
    uint256 internal constant LOADED = 2; // of a load: its number in `loaded`
    uint256 internal constant OPERANDS = 3; // then for each operand shape, base, step, load

    function prepare(Frame memory self) internal pure {
        self.shape = new uint256[](SLOTS);
        self.base = new int256[](SLOTS);
        self.step = new int256[](SLOTS);
        self.load = new uint256[](SLOTS);
        self.loaded = new Loaded[](self.code.loads.length);
        if (self.isSum) {
            // at most one instruction for each byte of the body
            self.program = new uint256[][](self.code.finish - self.code.body);
            self.buffers = new int256[][](SLOTS);
        }
    }

    function pushAffine(Frame memory self, int256 base, int256 step) internal pure {
        uint256 slot = self.depth++;
        self.shape[slot] = Shape.AFFINE;
        self.base[slot] = base;
        self.step[slot] = step;
    }

    function pushRun(Frame memory self, uint256 load) internal pure {
        uint256 slot = self.depth++;
        self.shape[slot] = Shape.RUN;
        self.load[slot] = load;
    }

    /// @notice Whether the `n` entries from `slot` on are the same for all k.
    function areScalar(Frame memory self, uint256 slot, uint256 n) internal pure returns (bool) {
        for (uint256 i = slot; i < slot + n; ++i) {
            if (self.shape[i] != Shape.AFFINE || self.step[i] != 0) return false;
        }
        return true;
    }

    /// @notice Leaves an operation on the `n` entries from the slot of the new top on to be done for every k.
    /// @param from Slot of the first operand: the new top's, but for a copy.
    function defer(Frame memory self, uint256 op, uint256 from, uint256 n, uint256 load) internal pure {
        uint256 slot = self.depth++;
        uint256[] memory instruction = new uint256[](OPERANDS + 4 * n);
        instruction[OP] = op;
        instruction[SLOT] = slot;
        instruction[LOADED] = load;
        for (uint256 i = 0; i < n; ++i) {
            uint256 word = OPERANDS + 4 * i;
            instruction[word] = self.shape[from + i];
            instruction[word + 1] = self.shape[from + i] == Shape.VECTOR ? from + i : uint256(self.base[from + i]);
            instruction[word + 2] = uint256(self.step[from + i]);
            instruction[word + 3] = self.load[from + i];
        }
        self.program[self.length++] = instruction;
        self.shape[slot] = Shape.VECTOR;
    }
}
