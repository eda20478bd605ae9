// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReferenceTree} from "../mocks/ReferenceTree.t.sol";
import {Test} from "../mocks/Test.t.sol";
import {List, Position, PositionLib} from "./Position.sol";

contract PositionTest is Test {
    function test_heightOf_isTheLevelsOfTheTree() public pure {
        for (uint32 n = 1; n <= 70; ++n) {
            vm.assertEq(PositionLib.heightOf(n), ReferenceTree.heightOf(n), "height");
        }
        vm.assertEq(PositionLib.heightOf(0), 0, "of no list");
        vm.assertEq(PositionLib.heightOf(type(uint32).max), 32, "of the longest");
    }

    /// @dev The children of the nodes of a height are the nodes below, each once and in order.
    function test_children_coverTheHeightBelow() public pure {
        for (uint32 n = 1; n <= 70; ++n) {
            Position memory p = PositionLib.rootOf(List.Leaves, n);
            uint8 top = p.height;
            for (p.height = 0; p.height <= top; ++p.height) {
                for (uint256 depth = 0; depth <= p.height; ++depth) {
                    uint256 next = 0;
                    for (p.index = 0; p.index < ReferenceTree.countAt(n, p.height); ++p.index) {
                        (uint256 first, uint256 count) = p.children(depth);
                        vm.assertEq(first, next, "first");
                        vm.assertTrue(count > 0, "some");
                        next += count;
                    }
                    vm.assertEq(next, ReferenceTree.countAt(n, p.height - depth), "all");
                }
            }
        }
    }

    function test_revealedLevels_areFourOrWhatIsLeft() public pure {
        Position memory p;
        for (p.height = 0; p.height <= 32; ++p.height) {
            vm.assertEq(p.revealedLevels(), p.height < 4 ? p.height : 4, "levels");
        }
    }

    function test_leafBytes_areWholeButForTheLast() public pure {
        Position memory p;
        p.tensorBytes = 2049;
        vm.assertEq(p.leafBytes(), 1024, "first");
        p.index = 2;
        vm.assertEq(p.leafBytes(), 1, "last");
        (p.index, p.tensorBytes) = (1, 2048);
        vm.assertEq(p.leafBytes(), 1024, "a last one that is whole");
    }

    function testFuzz_children_isTotal(uint8 height, uint32 index, uint32 length, uint8 depth) public pure {
        Position memory p;
        (p.height, p.index, p.length) = (uint8(_bound(height, 0, 32)), index, length);
        (, uint256 count) = p.children(_bound(depth, 0, p.height));
        vm.assertLe(count, uint256(1) << 32, "children");
    }
}
