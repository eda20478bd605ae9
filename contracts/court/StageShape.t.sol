// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {StageShape} from "./StageShape.sol";

contract StageShapeTest is Test {
    uint32 private constant T = 10;
    bytes private constant CODE = hex"00000000000000000000000000000000000000000000000000000000000000aa";

    function test_folds_countWhatFitsExactly() public view {
        bytes memory one = _record(0, 1, 0, 1, 1);
        vm.assertEq(this.folds(one), 1, "one");
        vm.assertEq(this.folds(bytes.concat(one, hex"00")), 0, "a byte more");
        vm.assertEq(this.folds(hex"0001000000"), 0, "none");
        vm.assertEq(this.folds(hex"00010000"), 0, "short");
        vm.assertEq(this.folds(""), 0, "empty");
        vm.assertEq(this.folds(_record(3, 1, 0, 1, 1)), 0, "no such order");
        vm.assertEq(this.folds(bytes.concat(one, _fold(0, 1, 1))), 0, "two folds without a loop");
        bytes memory loop = _record(2, 1, 0, 1, 1);
        for (uint256 count = 1; count <= 16; ++count) {
            vm.assertEq(this.folds(loop), count, "a loop's");
            loop = bytes.concat(loop, _fold(0, 1, 1));
        }
        vm.assertEq(this.folds(loop), 0, "seventeen");
    }

    function test_steps_areFixedOrAPartOfT() public view {
        vm.assertEq(this.steps(_record(0, 7, 0, 1, 1), T), 7, "seven");
        vm.assertEq(this.steps(_record(0, 1 << 30 | 1, 0, 1, 1), T), 10, "T");
        vm.assertEq(this.steps(_record(0, 1 << 30 | 4, 0, 1, 1), T), 3, "T / 4 rounded up");
        vm.assertEq(this.steps(_record(0, 0, 0, 1, 1), T), 0, "no steps");
        vm.assertEq(this.steps(_record(0, 1 << 30, 0, 1, 1), T), 0, "T / 0");
        vm.assertEq(this.steps(_record(0, 2 << 30, 0, 1, 1), T), 0, "t + 1");
        vm.assertEq(this.steps(_record(0, 3 << 30 | 1, 0, 1, 1), T), 0, "no such kind");
        vm.assertEq(this.steps(_record(0, 1 << 30 | 1, 0, 1, 1), type(uint32).max), type(uint32).max, "the longest");
    }

    function test_tensorBytes_byOrderAndSizes() public view {
        uint32 ofT = 1 << 30 | 1;
        uint32 growing = 2 << 30;
        vm.assertEq(this.tensorBytes(_record(0, ofT, 2, 3, 5), 0, 0, T), 10 * 3 * 5 * 4, "order 0");
        vm.assertEq(this.tensorBytes(_record(0, ofT, 3, 3, growing), 0, 0, T), 3 * 55 * 8, "order 0, t + 1 columns");
        vm.assertEq(this.tensorBytes(_record(1, ofT, 1, 3, 5), 0, 0, T), 10 * 3 * 5 * 2, "order 1");
        vm.assertEq(this.tensorBytes(_record(1, ofT, 1, 3, ofT), 0, 0, T), 10 * 3 * 10 * 2, "order 1, T columns");
        vm.assertEq(this.tensorBytes(_record(2, ofT, 0, 3, 5), 0, 7, T), 15, "a step of a loop");
        vm.assertEq(this.tensorBytes(_record(2, ofT, 3, 3, growing), 0, 7, T), 3 * 8 * 8, "step 7, t + 1 columns");
        bytes memory two = bytes.concat(_record(2, ofT, 0, 3, 5), _fold(2, 2, 2));
        vm.assertEq(this.tensorBytes(two, 1, 0, T), 16, "the second fold");
    }

    function test_tensorBytes_areNoneWhereMalformed() public view {
        uint32 growing = 2 << 30;
        vm.assertEq(this.tensorBytes(_record(0, 1, 4, 1, 1), 0, 0, T), 0, "no such type");
        vm.assertEq(this.tensorBytes(_record(0, 1, 0, growing, 1), 0, 0, T), 0, "rows that grow");
        vm.assertEq(this.tensorBytes(_record(0, 1, 0, 1, growing | 1), 0, 0, T), 0, "t + 1 with a number");
        vm.assertEq(this.tensorBytes(_record(1, 1, 0, 1, growing), 0, 0, T), 0, "growing where steps are innermost");
        vm.assertEq(this.tensorBytes(_record(0, 1, 0, 0, 1), 0, 0, T), 0, "no rows");
        vm.assertEq(this.tensorBytes(_record(0, 1, 0, 1, 0), 0, 0, T), 0, "no columns");
        vm.assertEq(this.tensorBytes(_record(0, 1, 0, 1 << 20, 1 << 20), 0, 0, T), 1 << 40, "the largest");
        vm.assertEq(this.tensorBytes(_record(0, 1, 1, 1 << 20, 1 << 20), 0, 0, T), 0, "larger");
    }

    function testFuzz_isTotal(bytes calldata record, uint32 length, uint32 t) public view {
        uint256 count = this.folds(record);
        if (count == 0) return;
        this.steps(record, length);
        for (uint256 fold = 0; fold < count; ++fold) {
            vm.assertLe(this.tensorBytes(record, fold, t, length), 1 << 40, "bytes");
        }
    }

    /// @dev Whatever the sizes, no product overflows.
    function testFuzz_tensorBytes_isTotal(uint8 order, uint32[3] calldata sizes, uint32 length, uint32 t) public view {
        bytes memory record = _record(order % 3, sizes[0], 3, sizes[1], sizes[2]);
        vm.assertLe(this.tensorBytes(record, 0, t, length), 1 << 40, "bytes");
    }

    function folds(bytes calldata record) external pure returns (uint256) {
        return StageShape.folds(record);
    }

    function steps(bytes calldata record, uint32 length) external pure returns (uint256) {
        return StageShape.steps(record, length);
    }

    function tensorBytes(
        bytes calldata record,
        uint256 fold,
        uint256 t,
        uint32 length
    ) external pure returns (uint256) {
        return StageShape.tensorBytes(record, fold, t, length);
    }

    function _record(
        uint8 order,
        uint32 stepsSize,
        uint8 elementType,
        uint32 rows,
        uint32 cols
    ) private pure returns (bytes memory) {
        return bytes.concat(bytes1(order), _littleEndian(stepsSize), _fold(elementType, rows, cols));
    }

    function _fold(uint8 elementType, uint32 rows, uint32 cols) private pure returns (bytes memory) {
        return bytes.concat(bytes1(elementType), _littleEndian(rows), _littleEndian(cols), CODE);
    }

    function _littleEndian(uint32 x) private pure returns (bytes4) {
        return bytes4(x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24);
    }
}
