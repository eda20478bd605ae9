// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {IReferee, Opening, Record, Statement, Target} from "./IReferee.sol";
import {Referee} from "./Referee.sol";

/// @notice Trees over lists, built level by level from all of their nodes.
library NaiveTree {
    function leaf(bytes memory data) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"00", data));
    }

    function root(bytes32[] memory nodes) internal pure returns (bytes32) {
        while (nodes.length > 1) nodes = parents(nodes);
        return nodes.length == 0 ? bytes32(0) : nodes[0];
    }

    function parents(bytes32[] memory nodes) internal pure returns (bytes32[] memory above) {
        above = new bytes32[]((nodes.length + 1) / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] =
                2 * i + 1 < nodes.length ? sha256(bytes.concat(hex"01", nodes[2 * i], nodes[2 * i + 1])) : nodes[2 * i];
        }
    }

    /// @dev Siblings of nodes first .. last, bottom up; at each level the left one, then the right one.
    function siblings(
        bytes32[] memory nodes,
        uint256 first,
        uint256 last
    ) internal pure returns (bytes32[] memory path) {
        while (nodes.length > 1) {
            if (first % 2 == 1) path = append(path, nodes[first - 1]);
            if (last % 2 == 0 && last + 1 < nodes.length) path = append(path, nodes[last + 1]);
            nodes = parents(nodes);
            (first, last) = (first / 2, last / 2);
        }
    }

    function append(bytes32[] memory list, bytes32 node) internal pure returns (bytes32[] memory longer) {
        bytes32[] memory one = new bytes32[](1);
        one[0] = node;
        return concat(list, one);
    }

    function concat(bytes32[] memory a, bytes32[] memory b) internal pure returns (bytes32[] memory both) {
        both = new bytes32[](a.length + b.length);
        for (uint256 i = 0; i < both.length; ++i) {
            both[i] = i < a.length ? a[i] : b[i - a.length];
        }
    }

    function leaves(bytes memory tensor) internal pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[]((tensor.length + 1023) / 1024);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = leaf(cut(tensor, i, i));
        }
    }

    /// @dev Leaves first .. last of a tensor.
    function cut(bytes memory tensor, uint256 first, uint256 last) internal pure returns (bytes memory data) {
        uint256 end = 1024 * (last + 1) < tensor.length ? 1024 * (last + 1) : tensor.length;
        data = new bytes(end - 1024 * first);
        for (uint256 i = 0; i < data.length; ++i) {
            data[i] = tensor[1024 * first + i];
        }
    }
}

/// @notice Jobs made of raw bytes, with the evidence that a challenger would show of them.
abstract contract RefereeKit is Test {
    /// @dev What a stage holds: of a loop a tensor for each step and fold, steps first; else one tensor.
    struct Stage {
        uint256 folds;
        bytes[] codes;
        bytes[] tensors;
    }

    struct Job {
        bytes14 header;
        uint32 T;
        uint256[3] counts; // request, claimed, constant tensors
        bytes[] records;
        bytes[] tensors;
        Stage[] stages;
    }

    Referee internal referee = new Referee();

    /* EVIDENCE */

    function _statement(Job memory job) internal pure returns (Statement memory s) {
        s.header = job.header;
        s.T = job.T;
        s.programRoot = NaiveTree.root(_recordNodes(job));
        s.requestRoot = NaiveTree.root(_tensorNodes(job, 0));
        s.claimedRoot = NaiveTree.root(_tensorNodes(job, 1));
        s.weightsRoot = NaiveTree.root(_tensorNodes(job, 2));
    }

    function _traceRoot(Job memory job) internal pure returns (bytes32) {
        return NaiveTree.root(_stageNodes(job));
    }

    function _record(Job memory job, uint32 index) internal pure returns (Record memory) {
        return Record(index, job.records[index], NaiveTree.siblings(_recordNodes(job), index, index));
    }

    function _allRecords(Job memory job) internal pure returns (Record[] memory records) {
        records = new Record[](job.records.length);
        for (uint32 i = 0; i < records.length; ++i) {
            records[i] = _record(job, i);
        }
    }

    function _tensorOpening(
        Job memory job,
        uint16 number,
        uint32 first,
        uint32 last
    ) internal pure returns (Opening memory opening) {
        bytes memory tensor = job.tensors[number];
        opening.number = number;
        opening.first = first;
        opening.data = NaiveTree.cut(tensor, first, last);
        opening.siblings = NaiveTree.siblings(NaiveTree.leaves(tensor), first, last);
        uint256 list = 0;
        uint256 index = number;
        while (index >= job.counts[list]) index -= job.counts[list++];
        bytes32[] memory path = NaiveTree.siblings(_tensorNodes(job, list), index, index);
        opening.siblings = NaiveTree.concat(opening.siblings, path);
    }

    /// @param t Step of a loop, else 0.
    function _foldOpening(
        Job memory job,
        uint16 stage,
        uint8 fold,
        uint32 t,
        uint32 first,
        uint32 last
    ) internal pure returns (Opening memory opening) {
        Stage memory holder = job.stages[stage];
        bytes memory tensor = holder.tensors[t * holder.folds + fold];
        opening.isFold = true;
        (opening.number, opening.fold, opening.t, opening.first) = (stage, fold, t, first);
        opening.data = NaiveTree.cut(tensor, first, last);
        bytes32[] memory path = NaiveTree.siblings(NaiveTree.leaves(tensor), first, last);
        path = NaiveTree.concat(path, NaiveTree.siblings(_foldNodes(holder, t), fold, fold));
        path = NaiveTree.concat(path, NaiveTree.siblings(_stepNodes(holder), t, t));
        opening.siblings = NaiveTree.concat(path, NaiveTree.siblings(_stageNodes(job), stage, stage));
    }

    /// @notice Every tensor of a job and of its trace, whole.
    function _allOpenings(Job memory job) internal pure returns (Opening[] memory openings) {
        uint256 count = job.tensors.length;
        for (uint256 i = 0; i < job.stages.length; ++i) {
            count += job.stages[i].tensors.length;
        }
        openings = new Opening[](count);
        uint256 n = 0;
        for (uint16 i = 0; i < job.tensors.length; ++i) {
            openings[n++] = _tensorOpening(job, i, 0, _lastLeaf(job.tensors[i]));
        }
        for (uint16 i = 0; i < job.stages.length; ++i) {
            Stage memory stage = job.stages[i];
            for (uint32 j = 0; j < stage.tensors.length; ++j) {
                (uint8 fold, uint32 t) = (uint8(j % stage.folds), uint32(j / stage.folds));
                openings[n++] = _foldOpening(job, i, fold, t, 0, _lastLeaf(stage.tensors[j]));
            }
        }
    }

    /* VERDICTS */

    /// @notice The verdict of a job's whole evidence: empty where the statement is refuted, else why it is not.
    function _verdict(Job memory job, Target memory target) internal view returns (bytes memory reason) {
        return this.verdict(job, target);
    }

    /// @dev A call of its own, so that what it lays out in memory is gone afterwards.
    function verdict(Job memory job, Target memory target) external view returns (bytes memory reason) {
        bytes memory code = job.stages[target.stage].codes[target.fold];
        return _verdict(job, target, _allRecords(job), code, _allOpenings(job));
    }

    function _verdict(
        Job memory job,
        Target memory target,
        Record[] memory records,
        bytes memory code,
        Opening[] memory openings
    ) internal view returns (bytes memory) {
        try referee.refute(_statement(job), _traceRoot(job), target, records, code, openings) returns (bool isFalse) {
            vm.assertTrue(isFalse, "never returns false");
            return "";
        } catch (bytes memory reason) {
            return reason;
        }
    }

    function _assertRefuted(bytes memory reason, string memory what) internal pure {
        vm.assertEq(reason.length, 0, what);
    }

    function _assertReverted(bytes memory reason, bytes memory expected, string memory what) internal pure {
        vm.assertEq(keccak256(reason), keccak256(expected), what);
    }

    function _assertHolds(bytes memory reason, string memory what) internal pure {
        _assertReverted(reason, abi.encodeWithSelector(IReferee.NotRefuted.selector), what);
    }

    /* BYTES */

    function _littleEndian(int256 value, uint256 width) internal pure returns (bytes memory data) {
        data = new bytes(width);
        for (uint256 i = 0; i < width; ++i) {
            data[i] = bytes1(uint8(uint256(value) >> (8 * i)));
        }
    }

    function _lastLeaf(bytes memory tensor) internal pure returns (uint32) {
        return uint32((tensor.length - 1) / 1024);
    }

    /// @dev A program with its tensors, where there are as many as `counts` says, of stages without loops.
    function _stage(bytes memory code, bytes memory tensor) internal pure returns (Stage memory stage) {
        stage.folds = 1;
        stage.codes = new bytes[](1);
        stage.codes[0] = code;
        stage.tensors = new bytes[](1);
        stage.tensors[0] = tensor;
    }

    /* NODES */

    function _recordNodes(Job memory job) internal pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](job.records.length);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = NaiveTree.leaf(job.records[i]);
        }
    }

    function _tensorNodes(Job memory job, uint256 list) private pure returns (bytes32[] memory nodes) {
        uint256 base = 0;
        for (uint256 i = 0; i < list; ++i) {
            base += job.counts[i];
        }
        nodes = new bytes32[](job.counts[list]);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = NaiveTree.root(NaiveTree.leaves(job.tensors[base + i]));
        }
    }

    function _stageNodes(Job memory job) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](job.stages.length);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = NaiveTree.root(_stepNodes(job.stages[i]));
        }
    }

    function _stepNodes(Stage memory stage) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](stage.tensors.length / stage.folds);
        for (uint256 t = 0; t < nodes.length; ++t) {
            nodes[t] = NaiveTree.root(_foldNodes(stage, t));
        }
    }

    function _foldNodes(Stage memory stage, uint256 t) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](stage.folds);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = NaiveTree.root(NaiveTree.leaves(stage.tensors[t * stage.folds + i]));
        }
    }
}
