// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The open challenges of one answer in the order in which they were opened. Doubly linked, so that any of them can
///         leave at a cost that does not depend on how many there are. Ids are not zero.
struct OpenList {
    bytes32 head;
    bytes32 tail;
    mapping(bytes32 id => Neighbours) neighboursOf;
}

struct Neighbours {
    bytes32 prev; // opened before; 0 at the head
    bytes32 next; // opened after; 0 at the tail
}

using OpenListLib for OpenList global;

library OpenListLib {
    /// @dev `id` is not in the list.
    function append(OpenList storage self, bytes32 id) internal {
        bytes32 tail = self.tail;
        self.tail = id;
        if (tail == 0) {
            self.head = id;
        } else {
            self.neighboursOf[id].prev = tail;
            self.neighboursOf[tail].next = id;
        }
    }

    /// @dev `id` is in the list.
    function remove(OpenList storage self, bytes32 id) internal {
        Neighbours memory links = self.neighboursOf[id];
        if (links.prev == 0) self.head = links.next;
        else self.neighboursOf[links.prev].next = links.next;
        if (links.next == 0) self.tail = links.prev;
        else self.neighboursOf[links.next].prev = links.prev;
        delete self.neighboursOf[id];
    }
}
