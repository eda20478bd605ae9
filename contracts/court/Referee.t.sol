// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {IReferee, Opening, Record, Statement, Target} from "./IReferee.sol";
import {Referee} from "./Referee.sol";

contract RefereeTest is Test {
    Referee private referee = new Referee();

    function test_refute_headersThatNoProgramHas() public view {
        _convicts(hex"0200010001000100020064000000", 1, "version 2");
        _convicts(hex"0001010001000100020064000000", 1, "version 256");
        _convicts(hex"0100010001000100000064000000", 1, "no stage");
        _convicts(hex"0100010001000100020000000000", 0, "maxT 0");
        _convicts(hex"0100010001000100020001000001", 1, "maxT above 2^24");
    }

    function test_refute_lengthsOutOfRange() public view {
        _convicts(hex"0100010001000100020064000000", 0, "T = 0");
        _convicts(hex"0100010001000100020064000000", 101, "T = maxT + 1");
        _convicts(hex"0100010001000100020064000000", type(uint32).max, "T = 2^32 - 1");
        _convicts(hex"0100000000000000010000000001", 2 ** 24 + 1, "T = 2^24 + 1");
    }

    function _convicts(bytes14 header, uint32 T, string memory what) private view {
        Statement memory s = Statement(header, 0, 0, 0, T, 0);
        Target memory target;
        vm.assertTrue(referee.refute(s, 0, target, new Record[](0), "", new Opening[](0)), what);
    }
}
