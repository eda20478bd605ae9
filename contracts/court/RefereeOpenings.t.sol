// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReferee, Opening, Record, Statement, Target} from "./IReferee.sol";
import {RefereeJobs} from "./RefereeJobs.t.sol";
import {NaiveTree} from "./RefereeKit.t.sol";
import {Siblings, TensorTree} from "./TensorTree.sol";

/// @notice Openings: ranges against trees built whole, and forged ones of every kind against an honest job.
contract RefereeOpeningsTest is RefereeJobs {
    /* RANGES */

    function test_root_everyRangeOfEverySmallList() public view {
        for (uint256 count = 1; count <= 17; ++count) {
            for (uint256 first = 0; first < count; ++first) {
                for (uint256 last = first; last < count; ++last) {
                    this.checkRange(count, first, last);
                }
            }
        }
    }

    function testFuzz_root_ofLongLists(uint16 length, uint16 from, uint16 to) public view {
        uint256 count = _bound(length, 1, 300);
        uint256 first = _bound(from, 0, count - 1);
        this.checkRange(count, first, _bound(to, first, count - 1));
    }

    function checkRange(uint256 count, uint256 first, uint256 last) external view {
        bytes32[] memory list = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = keccak256(abi.encode(count, i));
        }
        bytes32[] memory nodes = new bytes32[](last + 1 - first);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = list[first + i];
        }
        bytes32[] memory path = NaiveTree.siblings(list, first, last);
        (bytes32 found, bool isUsedUp) = this.root(nodes, first, count, path);
        vm.assertTrue(isUsedUp && found == NaiveTree.root(list), "the list's root");

        (, isUsedUp) = this.root(nodes, first, count, NaiveTree.append(path, list[0]));
        vm.assertTrue(!isUsedUp, "a sibling left over");
        if (path.length == 0) return;
        assembly ("memory-safe") {
            mstore(path, sub(mload(path), 1))
        }
        (, isUsedUp) = this.root(nodes, first, count, path);
        vm.assertTrue(!isUsedUp, "a sibling missing");
    }

    function root(
        bytes32[] memory nodes,
        uint256 first,
        uint256 count,
        bytes32[] calldata path
    ) external view returns (bytes32 result, bool isUsedUp) {
        Siblings memory siblings = TensorTree.siblings(path);
        if (nodes.length == 1) {
            Siblings memory again = TensorTree.siblings(path);
            result = TensorTree.rootOfOne(nodes[0], first, count, again);
            isUsedUp = again.isUsedUp();
            bytes32 asRange = TensorTree.root(nodes, first, count, siblings);
            vm.assertTrue(asRange == result && siblings.isUsedUp() == isUsedUp, "a range of one is a node");
            return (result, isUsedUp);
        }
        result = TensorTree.root(nodes, first, count, siblings);
        isUsedUp = siblings.isUsedUp();
    }

    /// @dev A leaf of 1,024 bytes in front of a short one: whole leaves only, and the last one as long as it is.
    function testFuzz_openings_haveTheLengthOfTheirLeaves(
        uint16 length,
        uint8 from,
        uint8 to,
        bool isLonger
    ) public view {
        Job memory job = _long(_bound(length, 1, 4100));
        uint32 last = _lastLeaf(job.tensors[0]);
        uint32 a = uint32(_bound(from, 0, last));
        uint32 b = uint32(_bound(to, a, last));
        Opening[] memory openings = new Opening[](2);
        openings[0] = _foldOpening(job, 0, 0, 0, 0, 0);
        openings[1] = _tensorOpening(job, 0, a, b);
        Target memory target = Target(0, 0, 0, 0, 0, 0);
        _assertHolds(_verdict(job, target, _allRecords(job), job.stages[0].codes[0], openings), "a range");

        bytes memory data = openings[1].data;
        if (isLonger) {
            openings[1].data = bytes.concat(data, hex"00");
        } else {
            assembly ("memory-safe") {
                mstore(data, sub(mload(data), 1))
            }
        }
        bytes memory expected = abi.encodeWithSelector(IReferee.BadOpening.selector, 1);
        _assertReverted(
            _verdict(job, target, _allRecords(job), job.stages[0].codes[0], openings), expected, "another length"
        );
    }

    /* FORGERIES */

    /// @dev Evidence that was built once, since building it is what takes time here.
    struct Proof {
        Statement s;
        bytes32 traceRoot;
        Target target;
        Record[] records;
        bytes code;
        Opening[] openings;
    }

    function test_openings_forgedOnesOfAnHonestJob() public view {
        Job memory job = _second();
        Proof memory proof = Proof({
            s: _statement(job),
            traceRoot: _traceRoot(job),
            target: Target(3, 1, 2, 0, 1, 0),
            records: _allRecords(job),
            code: job.stages[3].codes[1],
            openings: _allOpenings(job)
        });
        for (uint256 i = 0; i < proof.openings.length; ++i) {
            for (uint256 kind = 0; kind < 12; ++kind) {
                this.checkForgery(proof, kind, i);
            }
        }
    }

    function checkForgery(Proof memory proof, uint256 kind, uint256 i) external view {
        Opening memory o = proof.openings[i];
        if (kind == 0) o.data[0] ^= 0x01;
        if (kind == 1) o.data = bytes.concat(o.data, hex"00");
        if (kind == 2) o.data = "";
        if (kind == 3) o.first = 1;
        if (kind == 4) o.first = type(uint32).max;
        if (kind == 5 && o.siblings.length > 0) o.siblings[0] ^= bytes32(uint256(1));
        if (kind == 5 && o.siblings.length == 0) o.siblings = new bytes32[](1);
        if (kind == 6) o.siblings = NaiveTree.append(o.siblings, proof.traceRoot);
        if (kind == 7) o.isFold = !o.isFold;
        if (kind == 8) o.number += 1;
        if (kind == 9) o.fold += 1;
        if (kind == 10) o.t += 1;
        if (kind == 11) o.number = type(uint16).max;
        string memory what =
            string(bytes.concat("forgery ", bytes1(uint8(0x61 + kind)), " of ", bytes1(uint8(0x61 + i))));
        try referee.refute(proof.s, proof.traceRoot, proof.target, proof.records, proof.code, proof.openings) {
            vm.assertTrue(false, what);
        } catch (bytes memory reason) {
            _assertReverted(reason, abi.encodeWithSelector(IReferee.BadOpening.selector, i), what);
        }
    }

    function test_openings_repeatedOrReordered() public view {
        Job memory job = _second();
        Target memory target = Target(3, 1, 2, 0, 1, 0);
        Opening[] memory once = _allOpenings(job);
        Opening[] memory twice = new Opening[](2 * once.length);
        for (uint256 i = 0; i < once.length; ++i) {
            (twice[i], twice[twice.length - 1 - i]) = (once[i], once[i]);
        }
        _assertHolds(_verdict(job, target, _allRecords(job), job.stages[3].codes[1], twice), "twice");
    }

    /// @dev Loop element (3, 1, t = 2): now of fold 0, prev of fold 0, and itself.
    function test_openings_missingOnesAreNamed() public view {
        Job memory job = _second();
        Target memory target = Target(3, 1, 2, 0, 1, 0);
        Opening[] memory openings = new Opening[](3);
        openings[0] = _foldOpening(job, 3, 1, 2, 0, 0);
        openings[1] = _foldOpening(job, 3, 0, 2, 0, 0);
        openings[2] = _foldOpening(job, 3, 0, 1, 0, 0);
        bytes memory code = job.stages[3].codes[1];
        _assertHolds(_verdict(job, target, _allRecords(job), code, openings), "all three");
        for (uint256 i = 0; i < 3; ++i) {
            Opening memory left = openings[i];
            openings[i] = _tensorOpening(job, 0, 0, 0);
            bytes memory expected = abi.encodeWithSelector(IReferee.MissingLeaf.selector, true, 3, left.fold, left.t, 0);
            _assertReverted(_verdict(job, target, _allRecords(job), code, openings), expected, "one of them");
            openings[i] = left;
        }
    }

    function test_openings_nothingIsUnderARootThatIsNotPosted() public {
        Job memory job = _second();
        Target memory target = Target(3, 1, 2, 0, 1, 0);
        bytes memory code = job.stages[3].codes[1];
        Opening[] memory openings = new Opening[](1);
        openings[0] = _foldOpening(job, 3, 1, 2, 0, 0);
        Statement memory s = _statement(job);
        Record[] memory records = _allRecords(job);
        vm.expectRevert(abi.encodeWithSelector(IReferee.BadOpening.selector, 0));
        referee.refute(s, 0, target, records, code, openings);
        bytes32 other = keccak256("another trace");
        vm.expectRevert(abi.encodeWithSelector(IReferee.BadOpening.selector, 0));
        referee.refute(s, other, target, records, code, openings);
    }

    /* TARGETS */

    function test_targets_outOfRange() public view {
        Job memory job = _second();
        _outOfRange(job, Target(6, 0, 0, 0, 0, 0), 0, 0);
        _outOfRange(job, Target(type(uint16).max, 0, 0, 0, 0, 0), 0, 0);
        _outOfRange(job, Target(0, 1, 0, 0, 0, 0), 0, 0);
        _outOfRange(job, Target(3, 2, 0, 0, 0, 0), 3, 0);
        _outOfRange(job, Target(0, 0, 5, 0, 0, 0), 0, 0);
        _outOfRange(job, Target(4, 0, 3, 0, 0, 0), 4, 0);
        _outOfRange(job, Target(3, 1, type(uint32).max, 0, 0, 0), 3, 1);
        _outOfRange(job, Target(1, 0, 4, 2, 0, 0), 1, 0);
        _outOfRange(job, Target(1, 0, 3, 0, 4, 0), 1, 0);
        _outOfRange(job, Target(0, 0, 0, 0, 2, 0), 0, 0);
        _outOfRange(job, Target(2, 0, 3, 0, 0, 4), 2, 0);
    }

    function _outOfRange(Job memory job, Target memory target, uint256 stage, uint256 fold) private view {
        bytes memory expected = abi.encodeWithSelector(
            IReferee.BadTarget.selector, target.stage, target.fold, target.t, target.r, target.c, target.j
        );
        bytes memory code = job.stages[stage].codes[fold];
        _assertReverted(_verdict(job, target, _allRecords(job), code, _allOpenings(job)), expected, "out of range");
    }

    /* GAS */

    /// @dev With too little gas there is no verdict, and never the wrong one.
    function test_starved_neverDecidesOtherwise() public view {
        Job memory job = _first();
        Target memory target = Target(0, 0, 1, 0, 0, 0);
        _starve(job, target, abi.encodeWithSelector(IReferee.NotRefuted.selector));
        job.stages[0].tensors[0][4] ^= 0x01;
        _starve(job, target, "");
    }

    function _starve(Job memory job, Target memory target, bytes memory verdict) private view {
        bytes memory call_ = abi.encodeCall(
            referee.refute,
            (_statement(job), _traceRoot(job), target, _allRecords(job), job.stages[0].codes[0], _allOpenings(job))
        );
        uint256 decided = 0;
        for (uint256 limit = 1_000; limit < 250_000; limit += 449) {
            (bool ok, bytes memory result) = address(referee).staticcall{gas: limit}(call_);
            if (ok) {
                vm.assertEq(verdict.length, 0, "convicts the honest");
                vm.assertEq(abi.decode(result, (uint256)), 1, "returns true");
                ++decided;
            } else if (keccak256(result) == keccak256(verdict)) {
                ++decided;
            } else {
                bool isHashFailed = keccak256(result) == keccak256(abi.encodeWithSelector(IReferee.HashFailed.selector));
                vm.assertTrue(result.length == 0 || isHashFailed, "out of gas, or a hash that failed");
            }
        }
        vm.assertTrue(decided > 10, "decides with enough");
    }

    /* HELPERS */

    /// @dev A request of i8, and a stage that is 1 whatever it holds, so that any opening of it goes with an honest element.
    function _long(uint256 length) private pure returns (Job memory job) {
        job.header = hex"0100010000000000010064000000";
        job.T = 2;
        job.counts = [uint256(1), 0, 0];
        job.tensors = new bytes[](1);
        job.tensors[0] = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            job.tensors[0][i] = bytes1(uint8(i * 7 + i / 256));
        }
        job.stages = new Stage[](1);
        job.stages[0] = _stage(hex"000000000002000101", hex"0101");
        job.records = new bytes[](2);
        job.records[0] = bytes.concat(hex"0001000000", _littleEndian(int256(length), 4));
        job.records[1] = bytes.concat(hex"0001000040" hex"000100000001000000", NaiveTree.leaf(job.stages[0].codes[0]));
    }
}
