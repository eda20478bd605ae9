// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReferenceTree} from "../mocks/ReferenceTree.t.sol";
import {Test} from "../mocks/Test.t.sol";
import {ListTree} from "./ListTree.sol";

contract ListTreeTest is Test {
    using ReferenceTree for bytes32[];

    function test_hashes_areTaggedSha256() public pure {
        vm.assertEq(ListTree.leafHash("data"), sha256(bytes("\x00data")), "leaf");
        bytes memory pair = bytes.concat(hex"01", bytes32("left"), bytes32("right"));
        vm.assertEq(ListTree.pairHash("left", "right"), sha256(pair), "pair");
    }

    /// @dev Every node of every tree up to 20 elements climbs to every height.
    function test_climb_reachesEveryNodeAbove() public view {
        for (uint256 n = 1; n <= 20; ++n) {
            bytes32[] memory nodes = _nodes(n);
            for (uint256 levels = 0; levels <= ReferenceTree.heightOf(n); ++levels) {
                for (uint256 i = 0; i < n; ++i) {
                    (bytes32 above, bool ok) = this.climb(nodes[i], i, n, levels, nodes.pathAt(0, i, levels));
                    vm.assertTrue(ok, "ok");
                    vm.assertEq(above, nodes.nodeAt(levels, i >> levels), "above");
                }
            }
        }
    }

    function testFuzz_climb_refusesPathsOfAnotherLength(
        uint8 length,
        uint8 index,
        uint8 levels,
        bool isLonger
    ) public view {
        uint256 n = _bound(length, 2, 64);
        uint256 i = _bound(index, 0, n - 1);
        bytes32[] memory nodes = _nodes(n);
        uint256 up = _bound(levels, 0, ReferenceTree.heightOf(n));
        bytes32[] memory path = nodes.pathAt(0, i, up);
        if (!isLonger && path.length == 0) return;
        bytes32[] memory wrong = new bytes32[](isLonger ? path.length + 1 : path.length - 1);
        for (uint256 k = 0; k < path.length && k < wrong.length; ++k) {
            wrong[k] = path[k];
        }
        (, bool ok) = this.climb(nodes[i], i, n, up, wrong);
        vm.assertTrue(!ok, "a path of another length");
        (, ok) = this.climb(nodes[i], n, n, up, path);
        vm.assertTrue(!ok, "no such node");
    }

    /// @dev One sibling changed, or another node, gives another root.
    function testFuzz_climb_bindsNodeAndPath(uint8 length, uint8 index, uint8 which) public view {
        uint256 n = _bound(length, 2, 64);
        uint256 i = _bound(index, 0, n - 1);
        bytes32[] memory nodes = _nodes(n);
        bytes32[] memory path = nodes.pathAt(0, i, ReferenceTree.heightOf(n));
        (bytes32 other,) = this.climb(keccak256("other"), i, n, ReferenceTree.heightOf(n), path);
        vm.assertTrue(other != nodes.root(), "another node");
        uint256 changed = which % path.length;
        path[changed] = keccak256(abi.encode(path[changed]));
        (other,) = this.climb(nodes[i], i, n, ReferenceTree.heightOf(n), path);
        vm.assertTrue(other != nodes.root(), "another sibling");
    }

    function test_merge_isTheNodeAbove() public pure {
        for (uint256 n = 1; n <= 20; ++n) {
            bytes32[] memory nodes = _nodes(n);
            for (uint256 levels = 0; levels <= 4; ++levels) {
                uint256 above = ReferenceTree.countAt(n, levels);
                for (uint256 i = 0; i < above; ++i) {
                    uint256 first = i << levels;
                    uint256 end = first + (1 << levels) < n ? first + (1 << levels) : n;
                    bytes32[] memory adjacent = new bytes32[](end - first);
                    for (uint256 k = 0; k < adjacent.length; ++k) {
                        adjacent[k] = nodes[first + k];
                    }
                    vm.assertEq(ListTree.merge(adjacent, levels), nodes.nodeAt(levels, i), "merged");
                }
            }
        }
    }

    function climb(
        bytes32 node,
        uint256 index,
        uint256 count,
        uint256 levels,
        bytes32[] calldata path
    ) external pure returns (bytes32 above, bool ok) {
        return ListTree.climb(node, index, count, levels, path);
    }

    function _nodes(uint256 n) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            nodes[i] = keccak256(abi.encode(i));
        }
    }
}
