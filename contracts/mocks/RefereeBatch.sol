// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Makes many calls of one contract in one, each with its own gas, and says what came of each.
contract RefereeBatch {
    struct Outcome {
        bool success;
        uint64 gasUsed; //  by the call itself, without what a transaction pays for its calldata
        bytes32 head; //    first bytes of what it returned or reverted with, zero-filled
        uint32 size; //     bytes that it returned or reverted with
    }

    /// @dev Every call is copied to the same memory, so that a batch costs what its largest call does.
    function callAll(address to, uint256 gasEach, bytes[] calldata calls) external view returns (Outcome[] memory all) {
        all = new Outcome[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            bytes calldata data = calls[i];
            Outcome memory outcome = all[i];
            assembly ("memory-safe") {
                let free := mload(0x40)
                calldatacopy(free, data.offset, data.length)
                mstore(0, 0)
                let before := gas()
                let success := staticcall(gasEach, to, free, data.length, 0, 32)
                mstore(add(outcome, 32), sub(before, gas()))
                mstore(outcome, success)
                mstore(add(outcome, 64), mload(0))
                mstore(add(outcome, 96), returndatasize())
            }
        }
    }
}
