// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReferee} from "./IReferee.sol";

/// @notice Hashes of leaves and nodes: leaf(b) = SHA-256(00 || b), node(l, r) = SHA-256(01 || l || r).
/// @dev The precompile fails where gas is short. Its answer is never compared then: the call reverts with `HashFailed`.
///      Messages are laid out in free memory, which is left as it is.
library Sha256 {
    /// @param offset Of the leaf's bytes in the calldata.
    function leaf(uint256 offset, uint256 length) internal view returns (bytes32 hash) {
        bool ok;
        assembly ("memory-safe") {
            let message := mload(0x40)
            mstore8(message, 0)
            calldatacopy(add(message, 1), offset, length)
            ok := staticcall(gas(), 2, message, add(length, 1), 0, 32)
            ok := and(ok, eq(returndatasize(), 32))
            hash := mload(0)
        }
        if (!ok) revert IReferee.HashFailed();
    }

    function node(bytes32 left, bytes32 right) internal view returns (bytes32 hash) {
        bool ok;
        assembly ("memory-safe") {
            let message := mload(0x40)
            mstore8(message, 1)
            mstore(add(message, 1), left)
            mstore(add(message, 33), right)
            ok := staticcall(gas(), 2, message, 65, 0, 32)
            ok := and(ok, eq(returndatasize(), 32))
            hash := mload(0)
        }
        if (!ok) revert IReferee.HashFailed();
    }
}
