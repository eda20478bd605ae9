// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The thinking time of the two sides of a challenge, like a chess clock: one of them runs at any time.
struct Clock {
    uint40 payeeLeft; //      seconds, at `since`
    uint40 challengerLeft; // seconds, at `since`
    uint40 since; //          unix seconds; when the side that is to move got the turn
    bool isPayeesTurn;
}

using ClockLib for Clock global;

library ClockLib {
    /// @dev The last second in which the side that is to move may do so. Total: a time past the end of uint40 is its end.
    function deadline(Clock memory self) internal pure returns (uint40) {
        uint256 left = self.isPayeesTurn ? self.payeeLeft : self.challengerLeft;
        return _capped(self.since + left);
    }

    /// @dev The clock after a move at `time`, which is not past the deadline: the mover keeps what it has not used, and the
    ///      other gets the turn with at least `floorSeconds`. Without that a side could be left, by a move that comes late
    ///      or when blocks are full, with less time than a transaction needs. Total.
    function pass(Clock memory self, uint256 time, uint256 floorSeconds) internal pure returns (Clock memory next) {
        uint256 end = self.deadline();
        uint40 left = time < end ? uint40(end - time) : 0; // below end, a uint40
        if (self.isPayeesTurn) {
            next.payeeLeft = left;
            next.challengerLeft = _atLeast(self.challengerLeft, floorSeconds);
        } else {
            next.payeeLeft = _atLeast(self.payeeLeft, floorSeconds);
            next.challengerLeft = left;
        }
        next.since = _capped(time);
        next.isPayeesTurn = !self.isPayeesTurn;
    }

    /// @dev The clock where something at `time` has bounded the payee's side: from then on, with the turn, it runs until
    ///      `latest`, which is not before `time`. A clock that was stopped or set since is not concerned. Total.
    function cap(Clock memory self, uint40 time, uint40 latest) internal pure returns (Clock memory) {
        if (time < self.since) return self;
        uint40 left = latest - (self.isPayeesTurn ? self.since : time); // since <= time <= latest
        if (left < self.payeeLeft) self.payeeLeft = left;
        return self;
    }

    function _atLeast(uint40 left, uint256 floorSeconds) private pure returns (uint40) {
        return left < floorSeconds ? _capped(floorSeconds) : left;
    }

    function _capped(uint256 time) private pure returns (uint40) {
        return time < type(uint40).max ? uint40(time) : type(uint40).max;
    }
}
