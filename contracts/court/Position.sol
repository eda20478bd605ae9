// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The lists of a trace, from its root down: stages; of a loop its steps, of a step its folds; leaves of a tensor.
enum List {
    Stages,
    Steps,
    Folds,
    Leaves
}

/// @notice A node of a trace's tree. Height 0 is an element of its list; what lies below it is the next list's root.
struct Position {
    List list;
    uint8 height;
    uint32 index; //  among the nodes of its height
    uint32 length; // elements of the list
    uint16 stage; //  of what has been entered so far; else 0
    uint32 t;
    uint8 fold;
    uint48 tensorBytes; // of the tensor whose leaves are listed; 0 in other lists
}
