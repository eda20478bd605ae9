// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Record, Statement} from "../court/IReferee.sol";
import {List, Position} from "../court/Position.sol";
import {ReferenceTree} from "./ReferenceTree.t.sol";

/// @title TinyTrace
/// @notice A trace that has every kind of list, for games: three stages, T steps. Stage 0 is a loop of two folds (1,600 bytes,
///         and t + 1), stage 1 keeps its steps side by side (10,500 T bytes), stage 2 is one byte for each step.
library TinyTrace {
    using ReferenceTree for bytes32[];

    uint256 internal constant TENSORS = 3;
    uint256 internal constant STAGES = 3;

    /* PROGRAM */

    /// @dev Of a job of `T` steps, false where `maxT` is below it, and whatever `maxT` makes malformed.
    function statement(uint32 T, uint32 maxT) internal pure returns (Statement memory s) {
        s.header = bytes14(bytes.concat(hex"01000100010001000300", _littleEndian(maxT)));
        s.programRoot = _recordNodes().root();
        s.weightsRoot = keccak256("weights");
        s.requestRoot = keccak256("request");
        s.T = T;
        s.claimedRoot = keccak256("claimed");
    }

    function idOf(Statement memory s) internal pure returns (bytes32) {
        bytes32 model = sha256(bytes.concat(hex"02", s.header, s.programRoot, s.weightsRoot));
        bytes32 job = sha256(bytes.concat(hex"03", model, s.requestRoot));
        return sha256(bytes.concat(hex"04", job, _littleEndian(s.T), s.claimedRoot));
    }

    /// @dev The record of `stage` with its path under the program's root.
    function record(uint256 stage) internal pure returns (Record memory) {
        uint256 index = TENSORS + stage;
        bytes32[] memory path = _recordNodes().pathAt(0, index, 3); // six records
        return Record({index: uint32(index), data: _record(index), path: path});
    }

    /* TRACE */

    function root(uint32 T) internal pure returns (bytes32) {
        Position memory p;
        return elements(p, T).root();
    }

    /// @dev The elements of the list that `p` is in.
    function elements(Position memory p, uint32 T) internal pure returns (bytes32[] memory nodes) {
        if (p.list == List.Stages) {
            nodes = new bytes32[](STAGES);
            p = Position(List.Steps, 0, 0, 0, 0, 0, 0, 0);
            nodes[0] = elements(p, T).root();
            nodes[1] = _leaves(1, 0, 0, T).root();
            nodes[2] = _leaves(2, 0, 0, T).root();
        } else if (p.list == List.Steps) {
            nodes = new bytes32[](T);
            for (uint32 t = 0; t < T; ++t) {
                nodes[t] = elements(Position(List.Folds, 0, 0, 0, 0, t, 0, 0), T).root();
            }
        } else if (p.list == List.Folds) {
            nodes = new bytes32[](2);
            nodes[0] = _leaves(0, p.t, 0, T).root();
            nodes[1] = _leaves(0, p.t, 1, T).root();
        } else {
            nodes = _leaves(p.stage, p.t, p.fold, T);
        }
    }

    /// @dev The bytes of leaf number `index` of the tensor that `p` is in.
    function leafAt(Position memory p, uint256 index, uint32 T) internal pure returns (bytes memory data) {
        uint256 left = tensorBytes(p.stage, p.t, p.fold, T) - 1024 * index;
        data = new bytes(left < 1024 ? left : 1024);
        bytes32 word = keccak256(abi.encode(p.stage, p.t, p.fold, index));
        for (uint256 i = 0; i < data.length && i < 32; ++i) {
            data[i] = word[i];
        }
    }

    function tensorBytes(uint256 stage, uint256 t, uint256 fold, uint32 T) internal pure returns (uint256) {
        if (stage == 0) return fold == 0 ? 1600 : t + 1;
        return stage == 1 ? 10_500 * uint256(T) : T;
    }

    function _leaves(uint256 stage, uint256 t, uint256 fold, uint32 T) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[]((tensorBytes(stage, t, fold, T) + 1023) / 1024);
        Position memory p;
        (p.stage, p.t, p.fold) = (uint16(stage), uint32(t), uint8(fold));
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = ReferenceTree.leaf(leafAt(p, i, T));
        }
    }

    function _recordNodes() private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](TENSORS + STAGES);
        for (uint256 i = 0; i < nodes.length; ++i) {
            nodes[i] = ReferenceTree.leaf(_record(i));
        }
    }

    function _record(uint256 index) private pure returns (bytes memory) {
        bytes32 code = sha256("code");
        if (index < TENSORS) return hex"000100000001000000"; // i8[1 x 1]
        if (index == TENSORS) {
            // a loop of T steps: i64[1 x 200], i8[1 x t + 1]
            return bytes.concat(hex"02", hex"01000040", hex"0301000000c8000000", code, hex"000100000000000080", code);
        }
        // order 1, T steps: i32[5 x 525]; order 0, T steps: i8[1 x 1]
        if (index == TENSORS + 1) return bytes.concat(hex"01", hex"01000040", hex"02050000000d020000", code);
        return bytes.concat(hex"00", hex"01000040", hex"000100000001000000", code);
    }

    function _littleEndian(uint32 x) private pure returns (bytes4) {
        return
            bytes4(
                bytes.concat(bytes1(uint8(x)), bytes1(uint8(x >> 8)), bytes1(uint8(x >> 16)), bytes1(uint8(x >> 24)))
            );
    }
}
