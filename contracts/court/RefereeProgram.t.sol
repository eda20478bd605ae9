// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReferee, Opening, Record, Target} from "./IReferee.sol";
import {NaiveTree, RefereeKit} from "./RefereeKit.t.sol";

/// @notice Records and code that no well-formed program has convict; their neighbours that one may have do not.
contract RefereeProgramTest is RefereeKit {
    bytes32 private constant LEAF = keccak256("leaf of some code");

    /* RECORDS */

    function test_tensorRecords() public view {
        _record(0, hex"000100000004000000", false, "i8[1 x 4]");
        _record(0, hex"0001000000040000", true, "a byte short");
        _record(0, hex"00010000000400000000", true, "a byte long");
        _record(0, hex"", true, "empty");
        _record(0, hex"030100000004000000", false, "i64");
        _record(0, hex"040100000004000000", true, "type 4");
        _record(0, hex"ff0100000004000000", true, "type 255");
        _record(0, hex"000000000004000000", true, "no row");
        _record(0, hex"000100000000000000", true, "no column");
        _record(0, hex"000100004004000000", true, "rows of a request that follow T");
        _record(0, hex"000100000001000040", true, "columns of a request that follow T");
        _record(2, hex"000100000001000040", true, "columns of a constant that follow T");
        _record(1, hex"000100004001000040", false, "sizes of a claimed tensor that follow T");
        _record(1, hex"000100004000000040", true, "T / 0");
        _record(1, hex"000100000000000080", true, "columns t + 1 of a tensor");
        _record(1, hex"0001000000010000c0", true, "a size of kind 3");
        _record(0, hex"00000010000000" hex"1000", false, "2^20 x 2^20 bytes");
        _record(0, hex"0001001000000010" hex"00", true, "2^40 + 2^20 bytes");
        _record(0, hex"03000010000000" hex"0200", false, "2^20 x 2^17 i64");
        _record(0, hex"03000010000100" hex"0200", true, "2^20 x (2^17 + 1) i64");
        _record(0, hex"03ffffff3fffffff3f", true, "2^30 - 1 squared");
    }

    function test_stageRecords() public view {
        bytes memory fold = bytes.concat(hex"000100000001000000", LEAF);
        _record(3, bytes.concat(hex"0001000040", fold), false, "order 0");
        _record(3, bytes.concat(hex"0101000040", fold), false, "order 1");
        _record(3, bytes.concat(hex"0201000040", fold), false, "a loop");
        _record(3, bytes.concat(hex"0301000040", fold), true, "order 3");
        _record(3, bytes.concat(hex"00010000", fold), true, "a byte short");
        _record(3, bytes.concat(hex"0001000040", fold, hex"00"), true, "a byte long");
        _record(3, hex"0001000040", true, "no fold");
        _record(3, hex"02", true, "one byte");
        _record(3, bytes.concat(hex"0001000040", fold, fold), true, "two folds in order 0");
        _record(3, bytes.concat(hex"0101000040", fold, fold), true, "two folds in order 1");
        _record(3, bytes.concat(hex"0201000040", _times(fold, 16)), false, "16 folds in a loop");
        _record(3, bytes.concat(hex"0201000040", _times(fold, 17)), true, "17 folds in a loop");
        _record(3, bytes.concat(hex"0000000000", fold), true, "no step");
        _record(3, bytes.concat(hex"0000000080", fold), true, "t + 1 steps");
        _record(3, bytes.concat(hex"00010000c0", fold), true, "steps of kind 3");
        _record(3, bytes.concat(hex"0001000040" hex"000000000001000000", LEAF), true, "no row");
        _record(3, bytes.concat(hex"0001000040" hex"000000008001000000", LEAF), true, "t + 1 rows");
        _record(3, bytes.concat(hex"0001000040" hex"000100000000000080", LEAF), false, "t + 1 columns in order 0");
        _record(3, bytes.concat(hex"0101000040" hex"000100000000000080", LEAF), true, "t + 1 columns in order 1");
        _record(3, bytes.concat(hex"0201000040" hex"000100000000000080", LEAF), false, "t + 1 columns in a loop");
        _record(3, bytes.concat(hex"0001000040" hex"000100000001000080", LEAF), true, "t + 1 columns with n = 1");
        _record(3, bytes.concat(hex"0001000040" hex"040100000001000000", LEAF), true, "type 4");
        bytes memory second = bytes.concat(hex"000100000000000000", LEAF);
        _record(3, bytes.concat(hex"0201000040", fold, second), true, "no column in a second fold");
    }

    /// @dev maxT is 100: 5,050 steps and columns of a history in all, 100 in a step of a loop.
    function test_stageRecords_bytesAtTheLongestJob() public view {
        _record(3, bytes.concat(hex"0001000040" hex"0000000001" hex"8f020000", LEAF), false, "100 x 2^24 x 655 bytes");
        _record(3, bytes.concat(hex"0001000040" hex"0000000001" hex"90020000", LEAF), true, "100 x 2^24 x 656 bytes");
        _record(3, bytes.concat(hex"0201000040" hex"0000000001" hex"90020000", LEAF), false, "a step of a loop");
        _record(3, bytes.concat(hex"0001000040" hex"000000000d" hex"00000080", LEAF), true, "13 x 2^24 x 5,050");
        _record(3, bytes.concat(hex"0001000040" hex"000000000c" hex"00000080", LEAF), false, "12 x 2^24 x 5,050");
        _record(3, bytes.concat(hex"0201000040" hex"000000000d" hex"00000080", LEAF), false, "13 x 2^24 x 100");
    }

    function test_records_outsideTheProgram() public view {
        Job memory job = _job();
        Record[] memory records = new Record[](1);
        records[0] = _record(job, 0);
        records[0].index = 6;
        bytes memory expected = abi.encodeWithSelector(IReferee.BadRecord.selector, 6);
        _assertReverted(_shown(job, _at(0, 0), records), expected, "beyond the last");
        records[0] = _record(job, 0);
        records[0].index = 2;
        expected = abi.encodeWithSelector(IReferee.BadRecord.selector, 2);
        _assertReverted(_shown(job, _at(0, 0), records), expected, "another record's place");
        records[0] = _record(job, 0);
        records[0].path = NaiveTree.append(records[0].path, 0);
        expected = abi.encodeWithSelector(IReferee.BadRecord.selector, 0);
        _assertReverted(_shown(job, _at(0, 0), records), expected, "a sibling too many");
        records[0] = _record(job, 5);
        records[0].data = hex"04";
        expected = abi.encodeWithSelector(IReferee.BadRecord.selector, 5);
        _assertReverted(_shown(job, _at(0, 0), records), expected, "malformed, but nobody's");
    }

    /* CODE */

    function test_code_frames() public view {
        _code(0, 0, hex"00000000000200" hex"0101", false, "a literal");
        _code(0, 0, hex"", true, "no byte");
        _code(0, 0, hex"00000000000000", true, "seven bytes");
        _code(0, 0, hex"00000000000000" hex"0101", true, "no body");
        _code(0, 0, hex"00000000000300" hex"0101", true, "a body that ends outside");
        _code(0, 0, hex"0000000000ffff" hex"0101", true, "a body of 65,535 bytes");
        _code(0, 0, bytes.concat(hex"0000000000f903", _filled(1017)), false, "1,024 bytes");
        _code(0, 0, bytes.concat(hex"0000000000f903", _filled(1017), hex"08"), true, "1,025 bytes");
        _code(0, 0, hex"03000000000200" hex"0101", true, "combine 3");
        _code(0, 0, hex"00010000000200" hex"0101", true, "an axis of nothing");
        _code(0, 0, hex"00000000800200" hex"0101", true, "an axis of kind 2 of nothing");
        _code(0, 0, hex"01010000000200" hex"0101", false, "a sum");
        _code(0, 0, hex"01010000400200" hex"0101", false, "a sum over T");
        _code(0, 0, hex"01000000800200" hex"0101", false, "a sum over t + 1");
        _code(0, 0, hex"01000000000200" hex"0101", true, "a sum over nothing");
        _code(0, 0, hex"01010000c00200" hex"0101", true, "an axis of kind 3");
        _code(0, 0, hex"02010000000200" hex"0101", true, "an argmax of i8");
        _code(1, 1, hex"02010000000200" hex"0101", false, "an argmax of i32");
        _code(1, 1, hex"02010000000200" hex"0101" hex"09", true, "an argmax with a finish");
    }

    function test_code_expressions() public view {
        _body(hex"00", true, "operation 0");
        _body(hex"0101" hex"0f", true, "operation 0f");
        _body(hex"010101010101" hex"22", true, "operation 22");
        _body(hex"010101010101" hex"40", true, "operation 40");
        _body(hex"010101010101" hex"ff", true, "operation ff");
        _body(hex"01", true, "lit8 without its byte");
        _body(hex"02010101", true, "lit32 without its last byte");
        _body(hex"0301010101010101", true, "lit64 without its last byte");
        _body(hex"0101" hex"10", true, "an add of one operand");
        _body(hex"01010101" hex"13", true, "a mulshr of two operands");
        _body(hex"01010101" hex"1d", true, "a select of two operands");
        _body(hex"01010101" hex"21", true, "a philox of two operands");
        _body(hex"1f", true, "an isqrt of nothing");
        _body(hex"0101" hex"0a00", false, "pick of the top");
        _body(hex"0101" hex"0a01", true, "pick below the stack");
        _body(hex"0101" hex"0aff", true, "pick 255");
        _body(hex"0101" hex"0a", true, "pick without its byte");
        _body(hex"07", false, "k in a body");
        _body(hex"09", true, "acc in a body");
        _code(0, 0, hex"00000000000200" hex"0101" hex"09", false, "acc in a finish");
        _code(0, 0, hex"00000000000200" hex"0101" hex"07", true, "k in a finish");
        _code(0, 0, hex"00000000000200" hex"0101" hex"22", true, "an unknown operation in a finish");
        _code(0, 0, hex"00000000000200" hex"0101" hex"10", true, "a finish that takes from the body's stack");
        _body(_times(hex"04", 32), false, "32 entries");
        _body(_times(hex"04", 33), true, "33 entries");
        _body(bytes.concat(_times(hex"04", 32), hex"0a00", hex"10"), true, "33 entries for a moment");
    }

    function test_code_loads() public view {
        bytes memory load = hex"0404" hex"0b0000";
        _body(load, false, "a tensor");
        _body(hex"04" hex"0b0000", true, "a tensor at one index");
        _body(hex"0404" hex"0b00", true, "a load without its last byte");
        _body(hex"0404" hex"0b0200", false, "the last tensor");
        _body(hex"0404" hex"0b0300", true, "no such tensor");
        _body(hex"0404" hex"0bffff", true, "tensor 65,535");
        _body(hex"040404" hex"0c000000", true, "the own stage as an earlier one");
        _body(hex"0404" hex"0d00", true, "now outside of a loop");
        _body(hex"0404" hex"0e00", true, "prev outside of a loop");
        _code(1, 0, hex"00000000000400" hex"0404" hex"0d00", true, "now of the own fold");
        _code(1, 1, hex"00000000000400" hex"0404" hex"0d00", false, "now of the fold before");
        _code(1, 1, hex"00000000000400" hex"0404" hex"0d01", true, "now of the own fold");
        _code(1, 0, hex"00000000000400" hex"0404" hex"0e01", false, "prev of a later fold");
        _code(1, 0, hex"00000000000400" hex"0404" hex"0e02", true, "prev of no fold");
        _code(1, 0, hex"00000000000700" hex"040404" hex"0c000000", false, "an earlier stage");
        _code(1, 0, hex"00000000000700" hex"040404" hex"0c010000", true, "the own stage, a loop");
        _code(1, 0, hex"00000000000700" hex"040404" hex"0c020000", true, "a later stage");
        _code(1, 0, hex"00000000000700" hex"040404" hex"0cffff00", true, "stage 65,535");

        // a sum of 32 loads, then one of 33
        bytes memory next = bytes.concat(load, hex"10");
        _body(bytes.concat(load, _times(next, 31)), false, "32 loads");
        _body(bytes.concat(load, _times(next, 32)), true, "33 loads");
        bytes memory many = bytes.concat(load, _times(next, 31));
        bytes memory frame = bytes.concat(hex"0000000000", bytes1(uint8(many.length)), hex"00", many);
        _code(0, 0, bytes.concat(frame, hex"09"), false, "32 loads in a body");
        _code(0, 0, bytes.concat(frame, load), true, "33 loads in body and finish");
    }

    /// @dev A fold of an earlier stage is there or not by that stage's record alone.
    function test_code_loadsOfFoldsThatDoNotExist() public view {
        Job memory job = _withCode(2, 0, hex"00000000000700" hex"040404" hex"0c010002");
        Record[] memory own = new Record[](1);
        own[0] = _record(job, 5);
        bytes memory expected = abi.encodeWithSelector(IReferee.MissingRecord.selector, 4);
        _assertReverted(_shown(job, _at(2, 0), own), expected, "nobody knows how many folds there are");
        Record[] memory both = new Record[](2);
        (both[0], both[1]) = (own[0], _record(job, 4));
        _assertRefuted(_shown(job, _at(2, 0), both), "fold 2 of two");
        job = _withCode(2, 0, hex"00000000000700" hex"040404" hex"0c010001");
        (both[0], both[1]) = (_record(job, 5), _record(job, 4));
        _assertNotRefuted(_shown(job, _at(2, 0), both), "fold 1 of two");
    }

    function test_code_ofAnotherFold() public view {
        Job memory job = _job();
        bytes memory expected = abi.encodeWithSelector(IReferee.BadCode.selector, 0, 0);
        Opening[] memory none = new Opening[](0);
        bytes memory reason = _verdict(job, _at(0, 0), _allRecords(job), hex"00000000000200010f", none);
        _assertReverted(reason, expected, "malformed, but nobody's");
        _assertReverted(_verdict(job, _at(0, 0), _allRecords(job), "", none), expected, "none");
    }

    /* HELPERS */

    /// @dev One record is replaced, and is all that is shown.
    function _record(uint32 index, bytes memory data, bool isMalformed, string memory what) private view {
        Job memory job = _job();
        job.records[index] = data;
        Record[] memory records = new Record[](1);
        records[0] = _record(job, index);
        bytes memory reason = _shown(job, _at(1, 0), records);
        if (isMalformed) _assertRefuted(reason, what);
        else _assertNotRefuted(reason, what);
    }

    function _body(bytes memory body, bool isMalformed, string memory what) private view {
        bytes2 length = bytes2(uint16(body.length << 8) | uint16(body.length >> 8));
        _code(0, 0, bytes.concat(hex"0000000000", length, body), isMalformed, what);
    }

    /// @dev The code of one fold is replaced, and shown with its stage's record alone where that has to be enough.
    function _code(uint16 stage, uint8 fold, bytes memory code, bool isMalformed, string memory what) private view {
        Job memory job = _withCode(stage, fold, code);
        if (!isMalformed) return _assertNotRefuted(_shown(job, _at(stage, fold), _allRecords(job)), what);
        Record[] memory records = new Record[](1);
        records[0] = _record(job, 3 + stage);
        _assertRefuted(_shown(job, _at(stage, fold), records), what);
    }

    function _shown(Job memory job, Target memory target, Record[] memory records) private view returns (bytes memory) {
        bytes memory code = job.stages[target.stage].codes[target.fold];
        return _verdict(job, target, records, code, new Opening[](0));
    }

    function _assertNotRefuted(bytes memory reason, string memory what) private pure {
        vm.assertTrue(reason.length > 0, what);
    }

    function _at(uint16 stage, uint8 fold) private pure returns (Target memory) {
        return Target(stage, fold, 0, 0, 0, 0);
    }

    function _withCode(uint16 stage, uint8 fold, bytes memory code) private pure returns (Job memory job) {
        job = _job();
        job.stages[stage].codes[fold] = code;
        _addRecords(job);
    }

    /// @dev Request i8[1 x 4], claimed and constant alike; a stage of i8[1 x 1], a loop of i8 and i32, a last stage.
    function _job() private pure returns (Job memory job) {
        job.header = hex"0100010001000100030064000000";
        job.T = 2;
        job.counts = [uint256(1), 1, 1];
        job.tensors = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            job.tensors[i] = hex"01020304";
        }
        job.stages = new Stage[](3);
        job.stages[0] = _stage(hex"000000000002000101", hex"0101");
        job.stages[1] = _stage(hex"000000000002000101", hex"0101");
        job.stages[1].folds = 2;
        job.stages[1].codes = new bytes[](2);
        job.stages[1].codes[0] = hex"000000000002000101";
        job.stages[1].codes[1] = hex"000000000002000101";
        job.stages[1].tensors = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            job.stages[1].tensors[i] = i % 2 == 0 ? bytes(hex"01") : bytes(hex"01000000");
        }
        job.stages[2] = _stage(hex"000000000002000101", hex"0101");
        _addRecords(job);
    }

    function _addRecords(Job memory job) private pure {
        job.records = new bytes[](6);
        for (uint256 i = 0; i < 3; ++i) {
            job.records[i] = hex"000100000004000000";
        }
        bytes memory small = hex"000100000001000000";
        job.records[3] = bytes.concat(hex"0001000040", small, NaiveTree.leaf(job.stages[0].codes[0]));
        job.records[4] = bytes.concat(
            hex"0201000040",
            small,
            NaiveTree.leaf(job.stages[1].codes[0]),
            hex"020100000001000000",
            NaiveTree.leaf(job.stages[1].codes[1])
        );
        job.records[5] = bytes.concat(hex"0001000040", small, NaiveTree.leaf(job.stages[2].codes[0]));
    }

    /// @dev Bytes of T pushed and added, of odd length.
    function _filled(uint256 length) private pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            data[i] = i > 0 && i % 2 == 0 ? bytes1(0x10) : bytes1(0x08);
        }
    }

    function _times(bytes memory unit, uint256 n) private pure returns (bytes memory data) {
        for (uint256 i = 0; i < n; ++i) {
            data = bytes.concat(data, unit);
        }
    }
}
