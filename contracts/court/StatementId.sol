// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Statement} from "./IReferee.sol";

/// @title StatementId
/// @notice The hash that is signed, from what it stands for: the program with its weights, then the job, then its answer.
library StatementId {
    function idOf(Statement calldata s) internal pure returns (bytes32) {
        bytes32 modelId = sha256(abi.encodePacked(hex"02", s.header, s.programRoot, s.weightsRoot));
        bytes32 jobId = sha256(abi.encodePacked(hex"03", modelId, s.requestRoot));
        return sha256(abi.encodePacked(hex"04", jobId, _littleEndian(s.T), s.claimedRoot));
    }

    function _littleEndian(uint32 x) private pure returns (uint32) {
        x = x >> 8 & 0x00ff00ff | (x & 0x00ff00ff) << 8;
        return x >> 16 | x << 16;
    }
}
