// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The terms of a channel. Its typed-data digest is the channel id: the terms cannot change, and nobody else's
///         terms have the same id.
struct Channel {
    address payer; //   owns the deposit and gets the rest of it back
    address signer; //  the plain key whose vouchers count; never the zero address
    address payee; //   whose income it becomes
    uint256 model; //   asset id of the model that is paid for; 0: a plain payment without royalty and hold
    bytes32 salt; //    tells apart a payer's channels to one payee
}

/// @notice A payee's claim for one answer: what it is, and what has been charged on the channel up to it.
struct Answer {
    address payee; //               whose stake and held income answer for it
    bytes32 statementId; //         version, program, weights, request, length and answer, in one hash
    bytes32 channelId; //           the channel of the voucher that it answers
    uint128 maxClaimableAmount; //  that voucher's ceiling
    uint128 charged; //             the payee's running total on the channel when it signed
    uint64 until; //                unix seconds; the last second in which it may be challenged
}

/// @title TypedData
/// @notice EIP-712 struct hashes of what payers and payees sign. The domain is that of PaymentChannels.
library TypedData {
    bytes32 internal constant CHANNEL_TYPEHASH =
        keccak256("Channel(address payer,address signer,address payee,uint256 model,bytes32 salt)");
    bytes32 internal constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    bytes32 internal constant ANSWER_TYPEHASH = keccak256(
        "Answer(address payee,bytes32 statementId,bytes32 channelId,uint128 maxClaimableAmount,uint128 charged,uint64 until)"
    );

    function answerHash(
        address payee,
        bytes32 statementId,
        bytes32 channelId,
        uint128 maxClaimableAmount,
        uint128 charged,
        uint64 until
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(ANSWER_TYPEHASH, payee, statementId, channelId, maxClaimableAmount, charged, until));
    }

    function channelHash(
        address payer,
        address signer,
        address payee,
        uint256 model,
        bytes32 salt
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(CHANNEL_TYPEHASH, payer, signer, payee, model, salt));
    }

    function voucherHash(bytes32 channelId, uint128 maxClaimableAmount) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, maxClaimableAmount));
    }
}
