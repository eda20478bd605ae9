// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {Clock} from "./Clock.sol";

contract ClockTest is Test {
    uint256 private constant FLOOR = 60;

    function test_pass_takesFromTheMoverAndGivesTheOtherItsFloor() public pure {
        Clock memory clock = Clock({payeeLeft: 300, challengerLeft: 10, since: 1000, isPayeesTurn: true});
        vm.assertEq(clock.deadline(), 1300, "the payee's deadline");
        clock = clock.pass(1250, FLOOR);
        vm.assertEq(clock.payeeLeft, 50, "the payee's rest");
        vm.assertTrue(!clock.isPayeesTurn, "the challenger's turn");
        vm.assertEq(clock.deadline(), 1310, "the challenger's deadline is a floor away");
        clock = clock.pass(1260, FLOOR);
        vm.assertEq(clock.challengerLeft, 50, "the challenger's rest");
        vm.assertEq(clock.deadline(), 1320, "the payee's deadline is a floor away");
    }

    function test_pass_inTheLastSecondLeavesNothing() public pure {
        Clock memory clock = Clock({payeeLeft: 300, challengerLeft: 200, since: 1000, isPayeesTurn: true});
        clock = clock.pass(1300, FLOOR);
        vm.assertEq(clock.payeeLeft, 0, "the payee's rest");
        vm.assertEq(clock.deadline(), 1500, "the challenger's deadline");
    }

    /// @dev Nobody's time grows but to the floor, and time that passes is taken from the mover exactly.
    function testFuzz_pass_conservesTime(Clock memory clock, uint40 used, uint32 floorSeconds) public pure {
        uint40 left = clock.isPayeesTurn ? clock.payeeLeft : clock.challengerLeft;
        uint40 others = clock.isPayeesTurn ? clock.challengerLeft : clock.payeeLeft;
        clock.since = uint40(_bound(clock.since, 0, type(uint40).max - left));
        used = uint40(_bound(used, 0, left));

        Clock memory next = clock.pass(clock.since + used, floorSeconds);

        vm.assertEq(next.isPayeesTurn ? next.challengerLeft : next.payeeLeft, left - used, "the mover's rest");
        uint256 least = others < floorSeconds ? floorSeconds : others;
        vm.assertEq(next.isPayeesTurn ? next.payeeLeft : next.challengerLeft, least, "the other's");
        vm.assertEq(next.since, clock.since + used, "since");
        vm.assertTrue(next.isPayeesTurn != clock.isPayeesTurn, "turn");
    }

    /// @dev It only ever takes time, of the payee alone, and leaves it until `latest`.
    function testFuzz_cap_endsThePayeesTimeAtTheLatest(Clock memory clock, uint40 time, uint40 latest) public pure {
        clock.since = uint40(_bound(clock.since, 0, type(uint40).max - clock.payeeLeft));
        latest = uint40(_bound(latest, time, type(uint40).max));
        uint40 before = clock.payeeLeft;
        uint40 others = clock.challengerLeft;
        uint40 start = clock.isPayeesTurn ? clock.since : time;

        Clock memory capped = clock.cap(time, latest);

        vm.assertEq(capped.challengerLeft, others, "the challenger's");
        uint256 most = time < clock.since ? before : latest - start;
        vm.assertEq(capped.payeeLeft, before < most ? before : most, "the payee's");
    }

    function testFuzz_isTotal(Clock memory clock, uint256 time, uint256 floorSeconds) public pure {
        clock.pass(time, floorSeconds).deadline();
    }
}
