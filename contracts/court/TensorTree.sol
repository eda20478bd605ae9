// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Sha256} from "./Sha256.sol";

/// @notice Siblings of an opening, in the calldata, in the order in which they are used.
struct Siblings {
    uint256 next; //  calldata offset of the first that is not used yet
    uint256 end;
    bool isShort; //  one was wanted that is not there
}

using TensorTree for Siblings global;

/// @notice Trees over lists: neighbours are paired level by level, an unpaired last node moves up unchanged, nothing is
///         padded.
library TensorTree {
    function siblings(bytes32[] calldata path) internal pure returns (Siblings memory result) {
        uint256 next;
        assembly ("memory-safe") {
            next := path.offset
        }
        result.next = next;
        result.end = next + 32 * path.length;
    }

    /// @notice Whether every sibling was used, and none was missing: anything else is no opening.
    function isUsedUp(Siblings memory self) internal pure returns (bool) {
        return !self.isShort && self.next == self.end;
    }

    /// @notice The root of a list of `count` nodes of which `nodes` are those from `first` on.
    /// @dev `first + nodes.length <= count` is the caller's to check. `nodes` is overwritten. At each level one sibling at
    ///      the left if the range starts at an odd index, then one at the right if it ends at an even one that is not the
    ///      last. With siblings missing the result is no root, and `isShort` says so.
    function root(
        bytes32[] memory nodes,
        uint256 first,
        uint256 count,
        Siblings memory path
    ) internal view returns (bytes32) {
        uint256 length = nodes.length;
        while (count > 1) {
            length = _parents(nodes, length, first, count, path);
            first >>= 1;
            count = (count + 1) >> 1;
        }
        return nodes[0];
    }

    /// @notice The same for one node.
    function rootOfOne(
        bytes32 node,
        uint256 index,
        uint256 count,
        Siblings memory path
    ) internal view returns (bytes32) {
        while (count > 1) {
            if (index & 1 == 1) node = Sha256.node(path._take(), node);
            else if (index + 1 < count) node = Sha256.node(node, path._take());
            index >>= 1;
            count = (count + 1) >> 1;
        }
        return node;
    }

    /// @dev Writes the next level over the first of `length` nodes; returns how many it has.
    function _parents(
        bytes32[] memory nodes,
        uint256 length,
        uint256 first,
        uint256 count,
        Siblings memory path
    ) private view returns (uint256 above) {
        uint256 i = 0;
        if (first & 1 == 1) {
            nodes[0] = Sha256.node(path._take(), nodes[0]);
            i = 1;
            above = 1;
        }
        for (; i + 1 < length; i += 2) {
            nodes[above++] = Sha256.node(nodes[i], nodes[i + 1]);
        }
        if (i < length) {
            nodes[above++] = first + length < count ? Sha256.node(nodes[i], path._take()) : nodes[i];
        }
    }

    function _take(Siblings memory self) internal pure returns (bytes32 sibling) {
        uint256 next = self.next;
        if (next == self.end) {
            self.isShort = true;
            return 0;
        }
        self.next = next + 32;
        assembly ("memory-safe") {
            sibling := calldataload(next)
        }
    }
}
