// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a statementId is the hash of, and with it everything that a verdict may depend on besides the trace.
/// @dev statementId = SHA-256(04 || jobId || u32le T || claimedRoot), jobId = SHA-256(03 || modelId || requestRoot),
///      modelId = SHA-256(02 || header || programRoot || weightsRoot).
struct Statement {
    bytes14 header; //       u16 version, u16 request, claimed, constant tensors, u16 stages, u32 maxT; little-endian
    bytes32 programRoot; //  list root of the records of tensors and stages
    bytes32 weightsRoot; //  list roots of tensors
    bytes32 requestRoot;
    uint32 T; //             length of the job
    bytes32 claimedRoot;
}

/// @notice The element that is said to be wrong.
struct Target {
    uint16 stage;
    uint8 fold;
    uint32 t;
    uint32 r;
    uint32 c;
    uint32 j; // argmax: the index that beats the claimed one; else unused
}

/// @notice A record of the program, opened under programRoot.
struct Record {
    uint32 index; //  tensors first, by their number; then stages
    bytes data;
    bytes32[] path; // siblings, bottom up
}

/// @notice Adjacent leaves of one committed tensor: a request, claimed or constant tensor under its root, or a fold
///         under the trace root.
struct Opening {
    bool isFold;
    uint16 number; // of the tensor, or of the stage
    uint8 fold; //    of the stage; 0 unless the stage is a loop
    uint32 t; //      step of a loop; 0 unless the stage is a loop
    uint32 first; //  number of the first leaf that is opened
    bytes data; //    whole leaves, 1,024 bytes each; the tensor's last leaf may be shorter
    bytes32[] siblings; // bottom up: of the leaves (at each level left, then right), then of each list above
}

/// @title IReferee
/// @notice Decides whether evidence proves a signed statement false. Holds nothing and asks nobody.
interface IReferee {
    /// @notice The evidence does not fit together; the challenger's mistake, whatever the statement is worth.
    error BadTarget(uint16 stage, uint8 fold, uint32 t, uint32 r, uint32 c, uint32 j);
    error MissingRecord(uint32 index);
    error BadRecord(uint32 index);
    error BadCode(uint16 stage, uint8 fold);
    error MissingLeaf(bool isFold, uint16 number, uint8 fold, uint32 t, uint256 leaf);
    error BadOpening(uint256 opening);
    /// @notice The evidence is sound and shows nothing wrong.
    error NotRefuted();
    /// @notice The hash precompile did not answer, for want of gas.
    error HashFailed();

    /// @notice True: the statement is false, or `traceRoot` is not the root of its trace. Anything else reverts; it
    ///         never says that a statement is true.
    /// @param s The statement; the caller has compared its hash with what was signed.
    /// @param traceRoot Posted by the payee; zero while none is posted, so that nothing can be opened in it.
    /// @param records The target's stage record, and the record of every tensor and stage that its code loads.
    /// @param code Of the target's fold. Empty where a record alone is malformed.
    /// @param openings The leaf of the target's element and all that its evaluation reads.
    function refute(
        Statement calldata s,
        bytes32 traceRoot,
        Target calldata target,
        Record[] calldata records,
        bytes calldata code,
        Opening[] calldata openings
    ) external view returns (bool);
}
