// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IReceiveWithAuthorization
/// @notice The ERC-3009 transfer with its signature in one piece, as tokens have it that also take contract signatures.
interface IReceiveWithAuthorization {
    /// @notice Moves `value` from `from` to the caller by a signature of `from` over these terms.
    /// @dev The token must refuse a caller that is not `to`, and a nonce that `from` has used.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
