// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Answer} from "../market/TypedData.sol";
import {CourtTest} from "../mocks/CourtTest.t.sol";
import {Turn} from "./ICourt.sol";
import {Statement} from "./IReferee.sol";

/// @notice A liar that challenges false answers of its own to be given time, and convicts itself to have the bonds back.
contract CourtFloodTest is CourtTest {
    uint256 private constant STRAWS = 20;
    Statement private _false;
    Statement private _disputed;

    function setUp() public override {
        super.setUp();
        _false = _lie();
        _disputed = _truth(); // only its game matters here
    }

    function _answer(Statement memory s, uint128 n) private view returns (Answer memory a) {
        a = _answerOf(s);
        a.charged -= n;
    }

    /// @dev Twenty challenges of one false answer by as many friends.
    function _openStraws(uint128 n) private returns (bytes32[] memory ids) {
        ids = new bytes32[](STRAWS);
        for (uint160 i = 0; i < STRAWS; ++i) {
            address friend = address(0xF00 + i);
            _fundChallenger(friend);
            ids[i] = _challenge(friend, _answer(_false, n), _false);
        }
    }

    function _convictItself(bytes32[] memory ids) private {
        _refute(address(0xF00), ids[0], _false);
        for (uint256 i = 0; i < STRAWS; ++i) {
            vm.assertEq(court.takeBond(ids[i]), BOND, "a straw's bond is back");
        }
    }

    function test_flood_endedByAConvictionGivesNoTimeToLaterChallenges() public {
        _convictItself(_openStraws(1));
        bytes32 id = _challenge(alice, _answer(_disputed, 2), _disputed);
        _requireTurn(id, Turn.Payee, block.timestamp + PAYEE_CLOCK, "no slot behind those that are free");
    }

    function test_flood_endedByAConvictionTakesTimeBackFromOpenChallenges() public {
        bytes32[] memory ids = _openStraws(1);
        bytes32 id = _challenge(alice, _answer(_disputed, 2), _disputed);
        _requireTurn(id, Turn.Payee, block.timestamp + PAYEE_CLOCK + STRAWS * SLOT_STEP, "behind the straws");
        vm.warp(block.timestamp + 1 hours);
        _convictItself(ids);
        uint256 due = block.timestamp + PAYEE_CLOCK + SLOT_STEP;
        _requireTurn(id, Turn.Payee, due, "as if alone");
        vm.assertEq(court.disputeOf(court.gameOf(id).answerDigest).rootDue, due, "the root");
        vm.warp(due + 1);
        vm.assertEq(court.timeout(_one(id)), 1, "silent");
        vm.assertTrue(court.gameOf(id).turn == Turn.Won, "won");
    }

    function test_flood_endedByAConvictionTakesTimeBackFromGamesThatGoOn() public {
        bytes32[] memory ids = _openStraws(1);
        Answer memory a = _answer(_disputed, 2);
        bytes32 unasked = _challenge(alice, a, _disputed);
        bytes32 asked = _challenge(bob, a, _disputed);
        bytes32 waiting = _challenge(carol, a, _disputed);
        _post(_digestOf(a));
        _ask(asked, _disputed, 0);
        _ask(waiting, _disputed, 0);
        vm.warp(block.timestamp + 1 hours);
        _reveal(waiting);
        _convictItself(ids);
        uint256 end = block.timestamp + PAYEE_CLOCK + 3 * SLOT_STEP;
        _requireTurn(asked, Turn.Payee, end, "asked before");
        vm.warp(block.timestamp + 1 hours);
        _ask(unasked, _disputed, 0);
        _requireTurn(unasked, Turn.Payee, end + 1 hours, "asked first after");
        _ask(waiting, _disputed, 0);
        _requireTurn(waiting, Turn.Payee, end + 1 hours, "asked again after");
        vm.warp(end + 1 hours);
        _reveal(waiting);
    }

    function test_flood_leavesAStepForEachChallengeThatStaysOpen() public {
        bytes32[] memory ids = _openStraws(1);
        bytes32 last;
        for (uint160 i = 0; i < 5; ++i) {
            _fundChallenger(address(0xE00 + i));
            last = _challenge(address(0xE00 + i), _answer(_disputed, 2 + uint128(i)), _disputed);
        }
        _convictItself(ids);
        _requireTurn(last, Turn.Payee, block.timestamp + PAYEE_CLOCK + 5 * SLOT_STEP, "five steps");
        uint256 next = block.timestamp + PAYEE_CLOCK + 5 * SLOT_STEP;
        _requireTurn(_challenge(alice, _answer(_disputed, 9), _disputed), Turn.Payee, next, "behind them");
    }
}
