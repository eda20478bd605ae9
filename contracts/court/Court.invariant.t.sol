// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CourtHandler} from "../mocks/CourtHandler.t.sol";
import {Test} from "../mocks/Test.t.sol";

contract CourtInvariantTest is Test {
    CourtHandler private _disputes;

    function setUp() public {
        _disputes = new CourtHandler();
        _disputes.setUp();
        _target(address(_disputes), _disputes.selectors());
    }

    /// @dev Money in is money out: bonds in the court, penalties in the channels.
    function invariant_conserved() public view {
        _disputes.requireCourtConserved();
        _disputes.requireStakesConserved();
    }

    /// @dev Nobody who answers truly is convicted or loses stake, nobody who challenges a lie in time loses a bond.
    function invariant_honestyLosesNothing() public view {
        _disputes.requireHonestyKept();
    }

    /// @dev The counts that keep stake from leaving are those of the list, and its head is the earliest open challenge.
    function invariant_countsAreTheList() public view {
        _disputes.requireCountsKept();
    }
}
