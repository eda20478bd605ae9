// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ListTree
/// @notice Trees over lists of any length: node 2i is paired with 2i + 1, and a last one without a partner moves up as it
///         is. Nothing is padded, so there is no place in a tree that is not data.
library ListTree {
    /// @dev SHA-256(00 || data).
    function leafHash(bytes memory data) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"00", data));
    }

    /// @dev SHA-256(01 || left || right).
    function pairHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"01", left, right));
    }

    /// @dev The node `levels` above node number `index` of `count`, whose siblings on the way are `path`. Not `ok` where
    ///      there is no such node, or where siblings are missing or left over. Total.
    function climb(
        bytes32 node,
        uint256 index,
        uint256 count,
        uint256 levels,
        bytes32[] calldata path
    ) internal pure returns (bytes32 above, bool ok) {
        if (index >= count) return (0, false);
        above = node;
        uint256 used = 0;
        for (uint256 level = 0; level < levels; ++level) {
            bool isRight = index % 2 == 1;
            if (isRight || index + 1 < count) {
                if (used == path.length) return (0, false);
                above = isRight ? pairHash(path[used], above) : pairHash(above, path[used]);
                ++used;
            }
            index /= 2;
            count = (count + 1) / 2;
        }
        ok = used == path.length;
    }

    /// @dev The node `levels` above adjacent ones, of which there are at least one and at most 2^levels; where they are
    ///      fewer, the last of them is the last of its list. Total.
    function merge(bytes32[] memory nodes, uint256 levels) internal pure returns (bytes32) {
        uint256 count = nodes.length;
        for (uint256 level = 0; level < levels; ++level) {
            for (uint256 i = 0; i + 1 < count; i += 2) {
                nodes[i / 2] = pairHash(nodes[i], nodes[i + 1]);
            }
            if (count % 2 == 1) nodes[count / 2] = nodes[count - 1];
            count = (count + 1) / 2;
        }
        return nodes[0];
    }
}
