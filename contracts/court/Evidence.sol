// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Calldata} from "./Calldata.sol";
import {CodeLib, Load} from "./Code.sol";
import {Header} from "./Header.sol";
import {IReferee, Opening, Record, Statement} from "./IReferee.sol";
import {Records} from "./Records.sol";
import {Sha256} from "./Sha256.sol";
import {Size} from "./Size.sol";
import {Siblings, TensorTree} from "./TensorTree.sol";

/// @notice What has been proved of a program and of a job's tensors.
struct Evidence {
    Header header;
    uint256 T;
    uint256[] records; // index << 128 | bytes << 64 | calldata offset
    Opened[] opened;
}

/// @notice Bytes `from .. to - 1` of a tensor, at `data` in the calldata.
struct Opened {
    uint256 key;
    uint256 from;
    uint256 to;
    uint256 data;
}

/// @notice A tensor or fold that is loaded, as its record declares it.
struct Operand {
    bool isFold;
    uint256 number; // of the tensor, or of the stage
    uint256 fold;
    uint256 order; // of the stage; of a tensor that of a loop's, which has the same layout
    uint256 steps; // 1 of a tensor
    uint256 width; // bytes of an element
    uint256 rows;
    uint256 cols; //  still encoded: it may follow the step
}

using EvidenceLib for Evidence global;
using OperandLib for Operand global;

/// @notice Records and leaves of a refutation. All of them are checked, wanted or not, before one is read.
library EvidenceLib {
    uint256 internal constant LEAF_BYTES = 1024;

    /* RECORDS */

    /// @notice Takes records in that are under `programRoot`.
    /// @return malformed One of them is: then the program is, whatever else the evidence says.
    function takeRecords(
        Evidence memory self,
        bytes32 programRoot,
        Record[] calldata records
    ) internal view returns (bool malformed) {
        self.records = new uint256[](records.length);
        for (uint256 i = 0; i < records.length; ++i) {
            self.records[i] = self._proved(programRoot, records[i]);
            if (self._isMalformed(self.records[i])) return true;
        }
    }

    function _proved(
        Evidence memory self,
        bytes32 programRoot,
        Record calldata record
    ) internal view returns (uint256) {
        uint256 index = record.index;
        uint256 count = self.header.tensors() + self.header.stages;
        if (index >= count) revert IReferee.BadRecord(record.index);
        uint256 data = Calldata.offsetOf(record.data);
        Siblings memory path = TensorTree.siblings(record.path);
        bytes32 root = TensorTree.rootOfOne(Sha256.leaf(data, record.data.length), index, count, path);
        if (root != programRoot || !path.isUsedUp()) revert IReferee.BadRecord(record.index);
        return (index << 128) | (record.data.length << 64) | data;
    }

    function _isMalformed(Evidence memory self, uint256 record) internal pure returns (bool) {
        uint256 index = record >> 128;
        uint256 maxT = self.header.maxT;
        if (index >= self.header.tensors()) {
            return Records.isMalformedStage(uint64(record), uint64(record >> 64), maxT);
        }
        bool isClaimed = index >= self.header.requests && index - self.header.requests < self.header.claimed;
        return Records.isMalformedTensor(uint64(record), uint64(record >> 64), isClaimed, maxT);
    }

    /// @notice The record of a stage: its calldata offset, and how many folds it has.
    function stageRecord(Evidence memory self, uint256 stage) internal pure returns (uint256 offset, uint256 folds) {
        uint256 length;
        (offset, length) = self._record(self.header.tensors() + stage);
        folds = Records.foldCount(length);
    }

    /// @notice Whether a load of stage `stage`, fold `fold` of `folds`, names something that is not there, as far as that
    ///         stage alone can tell.
    function isMissing(
        Evidence memory self,
        Load memory load,
        uint256 stage,
        uint256 fold,
        uint256 folds
    ) internal pure returns (bool) {
        if (load.op == CodeLib.TENSOR) return load.number >= self.header.tensors();
        if (load.op == CodeLib.NOW) return load.fold >= fold;
        if (load.op == CodeLib.PREV) return load.fold >= folds;
        return load.number >= stage;
    }

    /// @notice Whether an earlier stage lacks the fold that a load names.
    function isFoldMissing(Evidence memory self, Load memory load) internal pure returns (bool) {
        if (load.op != CodeLib.FOLD) return false;
        (, uint256 folds) = self.stageRecord(load.number);
        return load.fold >= folds;
    }

    /// @notice A tensor by its number.
    function tensor(Evidence memory self, uint256 number) internal pure returns (Operand memory operand) {
        (uint256 decl,) = self._record(number);
        operand.number = number;
        operand.order = Records.LOOP;
        operand.steps = 1;
        self._declare(operand, decl);
    }

    /// @notice A fold of a stage, which it has.
    function foldOf(Evidence memory self, uint256 stage, uint256 fold) internal pure returns (Operand memory operand) {
        (uint256 record,) = self.stageRecord(stage);
        operand.isFold = true;
        operand.number = stage;
        operand.fold = fold;
        operand.order = Records.orderOf(record);
        operand.steps = Size.valueAt(Records.stepsOf(record), 0, self.T);
        self._declare(operand, Records.foldOf(record, fold));
    }

    function _declare(Evidence memory self, Operand memory operand, uint256 decl) internal pure {
        operand.width = Records.widthOf(decl);
        operand.rows = Size.valueAt(Records.rowsOf(decl), 0, self.T);
        operand.cols = Records.colsOf(decl);
    }

    function _record(Evidence memory self, uint256 index) internal pure returns (uint256 offset, uint256 length) {
        uint256[] memory records = self.records;
        for (uint256 i = 0; i < records.length; ++i) {
            uint256 record = records[i];
            if (record >> 128 == index) return (uint64(record), uint64(record >> 64));
        }
        revert IReferee.MissingRecord(uint32(index));
    }

    /* LEAVES */

    /// @notice Takes leaves in that are under the roots of the statement, or under `traceRoot`.
    function takeOpenings(
        Evidence memory self,
        Statement calldata s,
        bytes32 traceRoot,
        Opening[] calldata openings
    ) internal view {
        self.opened = new Opened[](openings.length);
        for (uint256 i = 0; i < openings.length; ++i) {
            Operand memory operand = self._named(openings[i], i);
            Siblings memory path = TensorTree.siblings(openings[i].siblings);
            bytes32 root = self._tensorRoot(operand, openings[i], i, path);
            bytes32 expected = traceRoot;
            if (openings[i].isFold) root = self._traceRoot(root, openings[i], operand, path);
            else (root, expected) = self._tensorsRoot(root, operand.number, s, path);
            if (root != expected || !path.isUsedUp()) revert IReferee.BadOpening(i);
        }
    }

    /// @dev From whole leaves of a tensor, at the place and of the length that they have in it. Opening `i` is read from
    ///      then on, and is worth nothing before the root is compared.
    function _tensorRoot(
        Evidence memory self,
        Operand memory operand,
        Opening calldata opening,
        uint256 i,
        Siblings memory path
    ) internal view returns (bytes32) {
        uint256 bytes_ = operand.bytesAt(opening.t, self.T);
        Opened memory range = self.opened[i];
        range.key = operand.key(opening.t);
        range.from = LEAF_BYTES * opening.first;
        range.to = range.from + opening.data.length;
        range.data = Calldata.offsetOf(opening.data);
        if (range.to == range.from || range.to > bytes_) revert IReferee.BadOpening(i);
        if (range.to != bytes_ && range.to % LEAF_BYTES != 0) revert IReferee.BadOpening(i);

        bytes32[] memory leaves = _leaves(range.data, range.to - range.from);
        return TensorTree.root(leaves, opening.first, (bytes_ + LEAF_BYTES - 1) / LEAF_BYTES, path);
    }

    /// @dev What an opening names, all of it in range.
    function _named(
        Evidence memory self,
        Opening calldata opening,
        uint256 i
    ) internal pure returns (Operand memory operand) {
        if (opening.number >= (opening.isFold ? self.header.stages : self.header.tensors())) {
            revert IReferee.BadOpening(i);
        }
        if (opening.isFold) {
            (, uint256 folds) = self.stageRecord(opening.number);
            if (opening.fold >= folds) revert IReferee.BadOpening(i);
            operand = self.foldOf(opening.number, opening.fold);
        } else {
            if (opening.fold != 0) revert IReferee.BadOpening(i);
            operand = self.tensor(opening.number);
        }
        if (opening.t >= (operand.order == Records.LOOP ? operand.steps : 1)) revert IReferee.BadOpening(i);
    }

    function _leaves(uint256 data, uint256 length) private view returns (bytes32[] memory leaves) {
        leaves = new bytes32[]((length + LEAF_BYTES - 1) / LEAF_BYTES);
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint256 rest = length - LEAF_BYTES * i;
            leaves[i] = Sha256.leaf(data + LEAF_BYTES * i, rest < LEAF_BYTES ? rest : LEAF_BYTES);
        }
    }

    /// @dev From a tensor's root: of a loop through its step's folds and its steps, then through the stages.
    function _traceRoot(
        Evidence memory self,
        bytes32 node,
        Opening calldata opening,
        Operand memory operand,
        Siblings memory path
    ) internal view returns (bytes32) {
        if (operand.order == Records.LOOP) {
            (, uint256 folds) = self.stageRecord(opening.number);
            node = TensorTree.rootOfOne(node, opening.fold, folds, path);
            node = TensorTree.rootOfOne(node, opening.t, operand.steps, path);
        }
        return TensorTree.rootOfOne(node, opening.number, self.header.stages, path);
    }

    /// @dev From a tensor's root to that of its list, and what that has to be.
    function _tensorsRoot(
        Evidence memory self,
        bytes32 node,
        uint256 number,
        Statement calldata s,
        Siblings memory path
    ) internal view returns (bytes32 root, bytes32 expected) {
        (uint256 count, uint256 base) = (self.header.requests, 0);
        expected = s.requestRoot;
        if (number >= count) {
            (count, base, expected) = (self.header.claimed, count, s.claimedRoot);
            if (number >= base + count) {
                (count, base, expected) = (self.header.constants, base + count, s.weightsRoot);
            }
        }
        root = TensorTree.rootOfOne(node, number - base, count, path);
    }

    /* READING */

    /// @notice Where bytes from `from` on of a tensor are in the calldata, and where the opening of them ends.
    /// @dev Two openings of one address have one content, so that the first is as good as any.
    function find(
        Evidence memory self,
        Operand memory operand,
        uint256 t,
        uint256 from
    ) internal pure returns (uint256 data, uint256 end) {
        uint256 key = operand.key(t);
        Opened[] memory opened = self.opened;
        for (uint256 i = 0; i < opened.length; ++i) {
            Opened memory range = opened[i];
            if (range.key == key && range.from <= from && from < range.to) {
                return (range.data + from - range.from, range.data + range.to - range.from);
            }
        }
        uint32 step = operand.order == Records.LOOP ? uint32(t) : 0;
        revert IReferee.MissingLeaf(
            operand.isFold, uint16(operand.number), uint8(operand.fold), step, from / LEAF_BYTES
        );
    }

    /// @notice One element; the indices are in range.
    function element(
        Evidence memory self,
        Operand memory operand,
        uint256 t,
        uint256 r,
        uint256 c
    ) internal pure returns (int256) {
        (uint256 data,) = self.find(operand, t, operand.width * operand.elementAt(t, r, c, self.T));
        return Calldata.signed(data, operand.width);
    }
}

/// @notice Layout of tensors and folds.
library OperandLib {
    /// @notice Names the tensor that holds step `t`.
    function key(Operand memory self, uint256 t) internal pure returns (uint256) {
        uint256 name = (self.number << 40) | (self.fold << 32);
        if (!self.isFold) return name;
        return (1 << 56) | name | (self.order == Records.LOOP ? t : 0);
    }

    function colsAt(Operand memory self, uint256 t, uint256 T) internal pure returns (uint256) {
        return Size.valueAt(self.cols, t, T);
    }

    /// @notice Number of an element among those of its tensor.
    function elementAt(
        Operand memory self,
        uint256 t,
        uint256 r,
        uint256 c,
        uint256 T
    ) internal pure returns (uint256) {
        uint256 cols = self.colsAt(t, T);
        if (self.order == Records.LOOP) return r * cols + c;
        if (self.order == 1) return (r * cols + c) * self.steps + t;
        if (self.cols == Size.HISTORY) return self.rows * (t * (t + 1) / 2) + r * cols + c;
        return (t * self.rows + r) * cols + c;
    }

    /// @notice Bytes of the tensor that holds step `t`.
    function bytesAt(Operand memory self, uint256 t, uint256 T) internal pure returns (uint256) {
        uint256 rowBytes = self.rows * self.width;
        if (self.order == Records.LOOP) return rowBytes * self.colsAt(t, T);
        if (self.cols == Size.HISTORY) return rowBytes * (self.steps * (self.steps + 1) / 2);
        return rowBytes * self.steps * self.colsAt(0, T);
    }
}
