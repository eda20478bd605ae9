// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ReferenceTree
/// @notice List trees by another definition than `ListTree`'s, for tests to compare with: the root of n > 1 nodes is the pair
///         of the roots of its first 2^k, the largest power of two below n, and of the rest.
library ReferenceTree {
    function root(bytes32[] memory nodes) internal pure returns (bytes32) {
        return _root(nodes, 0, nodes.length);
    }

    /// @dev Node number `index` at `height` of the tree over `nodes`.
    function nodeAt(bytes32[] memory nodes, uint256 height, uint256 index) internal pure returns (bytes32) {
        uint256 end = (index + 1) << height;
        return _root(nodes, index << height, end < nodes.length ? end : nodes.length);
    }

    function countAt(uint256 length, uint256 height) internal pure returns (uint256 count) {
        for (uint256 first = 0; first < length; first += 1 << height) {
            ++count;
        }
    }

    function heightOf(uint256 length) internal pure returns (uint256 height) {
        while (countAt(length, height) > 1) ++height;
    }

    /// @dev Siblings from node number `index` at `height`, `levels` up, bottom first.
    function pathAt(
        bytes32[] memory nodes,
        uint256 height,
        uint256 index,
        uint256 levels
    ) internal pure returns (bytes32[] memory path) {
        bytes32[] memory all = new bytes32[](levels);
        uint256 used = 0;
        for (uint256 level = height; level < height + levels; ++level) {
            uint256 sibling = index ^ 1;
            if (sibling < countAt(nodes.length, level)) all[used++] = nodeAt(nodes, level, sibling);
            index >>= 1;
        }
        path = new bytes32[](used);
        for (uint256 i = 0; i < used; ++i) {
            path[i] = all[i];
        }
    }

    function leaf(bytes memory data) internal pure returns (bytes32) {
        return sha256(bytes.concat(bytes1(0), data));
    }

    function _root(bytes32[] memory nodes, uint256 first, uint256 end) private pure returns (bytes32) {
        if (end - first == 1) return nodes[first];
        uint256 half = 1;
        while (2 * half < end - first) half *= 2;
        return
            sha256(bytes.concat(bytes1(uint8(1)), _root(nodes, first, first + half), _root(nodes, first + half, end)));
    }
}
