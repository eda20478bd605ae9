// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice The lists of a trace, from its root down: stages; of a loop its steps, of a step its folds; leaves of a tensor.
enum List {
    Stages,
    Steps,
    Folds,
    Leaves
}

/// @notice A node of a trace's tree. Height 0 is an element of its list; what lies below it is the next list's root.
struct Position {
    List list;
    uint8 height;
    uint32 index; //  among the nodes of its height
    uint32 length; // elements of the list
    uint16 stage; //  of what has been entered so far; else 0
    uint32 t;
    uint8 fold;
    uint48 tensorBytes; // of the tensor whose leaves are listed; 0 in other lists
}

using PositionLib for Position global;

library PositionLib {
    uint256 internal constant LEAF_BYTES = 1024;
    /// @dev A reveal goes so many levels down: 16 nodes are one kilobyte less than a transaction costs, and each level less
    ///      would add rounds.
    uint256 private constant REVEALED_LEVELS = 4;

    /// @dev The root of a list of `length` elements.
    function rootOf(List list, uint32 length) internal pure returns (Position memory p) {
        p.list = list;
        p.height = heightOf(length);
        p.length = length;
    }

    /// @dev Levels of a list's tree above its elements. Total.
    function heightOf(uint32 length) internal pure returns (uint8) {
        return uint8(Math.log2(length, Math.Rounding.Ceil)); // at most 32
    }

    /// @dev Nodes of the list at `height`.
    function nodesAt(Position memory self, uint256 height) internal pure returns (uint256) {
        return (uint256(self.length) + (uint256(1) << height) - 1) >> height;
    }

    /// @dev How many levels below the position a reveal shows; 0 where the position is an element.
    function revealedLevels(Position memory self) internal pure returns (uint8) {
        return uint8(Math.min(REVEALED_LEVELS, self.height));
    }

    /// @dev The nodes `depth` levels below: from number `first` of their height, `count` of them. depth <= height.
    function children(Position memory self, uint256 depth) internal pure returns (uint256 first, uint256 count) {
        first = uint256(self.index) << depth;
        uint256 end = Math.min(first + (uint256(1) << depth), self.nodesAt(self.height - depth));
        count = end > first ? end - first : 0;
    }

    /// @dev Exact bytes of the leaf at this position, which is height 0 of a list of leaves.
    function leafBytes(Position memory self) internal pure returns (uint256) {
        uint256 before = uint256(self.index) * LEAF_BYTES;
        return Math.min(LEAF_BYTES, self.tensorBytes - before);
    }
}
