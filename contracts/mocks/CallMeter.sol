// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Makes a call with as much gas as it is told, and says what came of it.
contract CallMeter {
    /// @return success Whether the call returned.
    /// @return gasUsed By the call itself, without what a transaction pays for its calldata.
    /// @return head First word of what it returned or reverted with, filled up with zeros.
    /// @return size Bytes that it returned or reverted with.
    function measure(
        address to,
        uint256 gasLimit,
        bytes calldata data
    ) external view returns (bool success, uint256 gasUsed, bytes32 head, uint256 size) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, data.offset, data.length)
            mstore(0, 0)
            let before := gas()
            success := staticcall(gasLimit, to, free, data.length, 0, 32)
            gasUsed := sub(before, gas())
            head := mload(0)
            size := returndatasize()
        }
    }
}
