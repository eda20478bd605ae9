// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {OpenList} from "./OpenList.sol";

contract OpenListTest is Test {
    OpenList private _list;
    bytes32[] private _expected;

    function test_append_keepsTheOrder() public {
        for (uint256 i = 1; i <= 4; ++i) {
            _append(bytes32(i));
        }
        _requireEqual();
    }

    /// @dev Every way to take three of three, since each place has its own neighbours to mend.
    function test_remove_fromEveryPlace() public {
        for (uint256 first = 0; first < 3; ++first) {
            for (uint256 second = 0; second < 2; ++second) {
                for (uint256 i = 1; i <= 3; ++i) {
                    _append(bytes32(10 * first + 100 * second + i));
                }
                _removeAt(first);
                _removeAt(second);
                _removeAt(0);
            }
        }
        vm.assertEq(_list.head, 0, "head");
        vm.assertEq(_list.tail, 0, "tail");
    }

    /// @dev Like a plain array in which the gap is closed.
    function testFuzz_isAListInOrder(uint16[24] calldata moves) public {
        for (uint256 i = 0; i < moves.length; ++i) {
            if (moves[i] % 3 == 0 && _expected.length > 0) _removeAt(moves[i] % _expected.length);
            else _append(keccak256(abi.encode(i)));
        }
    }

    function _append(bytes32 id) private {
        _list.append(id);
        _expected.push(id);
        _requireEqual();
    }

    function _removeAt(uint256 index) private {
        _list.remove(_expected[index]);
        for (uint256 i = index; i + 1 < _expected.length; ++i) {
            _expected[i] = _expected[i + 1];
        }
        _expected.pop();
        _requireEqual();
    }

    function _requireEqual() private view {
        bytes32 id = _list.head;
        bytes32 before = 0;
        for (uint256 i = 0; i < _expected.length; ++i) {
            vm.assertEq(id, _expected[i], "id");
            vm.assertEq(_list.neighboursOf[id].prev, before, "the one before");
            (before, id) = (id, _list.neighboursOf[id].next);
        }
        vm.assertEq(id, 0, "the end");
        vm.assertEq(_list.tail, before, "the tail");
    }
}
