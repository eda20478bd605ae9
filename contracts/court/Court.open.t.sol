// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Terms} from "../market/IAccounts.sol";
import {PaymentChannels} from "../market/PaymentChannels.sol";
import {Answer} from "../market/TypedData.sol";
import {CourtTest} from "../mocks/CourtTest.t.sol";
import {TinyTrace} from "../mocks/TinyTrace.t.sol";
import {Dispute, Game, ICourt, Turn} from "./ICourt.sol";
import {Statement} from "./IReferee.sol";
import {List} from "./Position.sol";

/// @notice Opening a challenge, the clocks that it gets, and the root.
contract CourtOpenTest is CourtTest {
    /* CONSTRUCTION */

    function test_constructor_keepsItsParameters() public view {
        vm.assertEq(address(court.channels()), address(channels), "channels");
        vm.assertEq(address(court.token()), address(token), "token");
        vm.assertEq(address(court.referee()), address(referee), "referee");
        vm.assertEq(court.BOND(), BOND, "BOND");
        vm.assertEq(court.PAYEE_CLOCK(), PAYEE_CLOCK, "PAYEE_CLOCK");
        vm.assertEq(court.CHALLENGER_CLOCK(), CHALLENGER_CLOCK, "CHALLENGER_CLOCK");
        vm.assertEq(court.SLOT_STEP(), SLOT_STEP, "SLOT_STEP");
        vm.assertEq(court.FLOOR(), FLOOR, "FLOOR");
        vm.assertEq(court.MACHINE_VERSION(), 1, "MACHINE_VERSION");
    }

    function test_constructor_refusesClocksThatLeaveNoTime() public {
        _refused(0, 10, 1, 0);
        _refused(10, 10, 1, 0);
        _refused(10, 20, 1, 11);
        _refused(20, 10, 1, 11);
        _refused(20, 10, 21, 10);
        _refused(0, 0, 0, 0);
    }

    function _refused(uint256 payeeClock, uint256 challengerClock, uint256 step, uint256 floor) private {
        Terms memory terms = _terms();
        (terms.payeeClockSeconds, terms.challengerClockSeconds) = (payeeClock, challengerClock);
        (terms.slotStepSeconds, terms.floorSeconds) = (step, floor);
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadClocks.selector, payeeClock, challengerClock, step, floor));
        new PaymentChannels(token, models, referee, terms);
    }

    /* CHALLENGE */

    function test_challenge_opensAGameAndTakesTheBond() public {
        Answer memory a = _answerOf(_truth());
        bytes32 digest = _digestOf(a);
        bytes32 id = keccak256(abi.encode(digest, alice));
        uint256 slot = block.timestamp + PAYEE_CLOCK;
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        Statement memory s = _truth();
        vm.expectEmit(address(court));
        emit ICourt.Challenged(id, digest, payee, alice, a.statementId, a.channelId, a.until, uint40(slot));
        vm.prank(alice);
        vm.assertEq(court.challenge(a, r, vs, s), id, "id");

        vm.assertEq(token.balanceOf(address(court)), BOND, "the court's tokens");
        vm.assertEq(token.balanceOf(alice), 100 * TUSD - BOND, "the challenger's tokens");
        vm.assertEq(court.openChallenges(payee), 1, "open challenges");
        Game memory g = court.gameOf(id);
        vm.assertEq(g.answerDigest, digest, "answer");
        vm.assertEq(g.challenger, alice, "challenger");
        vm.assertEq(g.position.length, TinyTrace.STAGES, "stages");
        vm.assertEq(g.position.height, 2, "height");
        vm.assertEq(uint256(g.position.list), uint256(List.Stages), "list");
        _requireTurn(id, Turn.Payee, slot, "opened");
        Dispute memory d = court.disputeOf(digest);
        vm.assertEq(d.payee, payee, "payee");
        vm.assertEq(d.statementId, a.statementId, "statement");
        vm.assertEq(d.channelId, a.channelId, "channel");
        vm.assertEq(d.rootDue, slot, "root due");
        vm.assertEq(d.rootAt, 0, "no root");
        vm.assertEq(d.open, 1, "open");
        vm.assertEq(d.head, id, "head");
    }

    function test_challenge_upToTheLastSecondOfUntil() public {
        Answer memory a = _answerOf(_truth());
        Statement memory s = _truth();
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        vm.warp(a.until + 1);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WindowClosed.selector, a.until));
        court.challenge(a, r, vs, s);
        vm.warp(a.until);
        _challenge(alice, a, s);
    }

    function test_challenge_onceForEachChallenger() public {
        Answer memory a = _answerOf(_truth());
        Statement memory s = _truth();
        bytes32 id = _challenge(alice, a, s);
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyChallenged.selector, id));
        court.challenge(a, r, vs, s);

        _post(_digestOf(a));
        vm.warp(block.timestamp + CHALLENGER_CLOCK + 1);
        _timeout(id);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyChallenged.selector, id));
        court.challenge(a, r, vs, s);
        _challenge(bob, a, s);
    }

    function test_challenge_namesTheStatementThatWasSigned() public {
        Answer memory a = _answerOf(_truth());
        Statement memory other = _lie();
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongStatement.selector, TinyTrace.idOf(other), a.statementId));
        court.challenge(a, r, vs, other);
    }

    function test_challenge_bindsThePayeeByItsOperatorToo() public {
        Answer memory a = _answerOf(_truth());
        _challengeSigned(OPERATOR_KEY, alice, a, _truth());
        vm.assertEq(court.openChallenges(payee), 1, "open challenges");
    }

    /// @dev A key withdrawn at w answers for `until` up to w + HOLD, whenever the court reads it.
    function test_challenge_ofAWithdrawnKeyWhileItAnswers() public {
        vm.prank(payee);
        channels.setOperator(operator, false);
        Answer memory a = _answerOf(_truth());
        a.until = uint64(block.timestamp + HOLD);
        Answer memory later = _answerOf(_truth());
        later.until = uint64(block.timestamp + HOLD + 1);
        Statement memory s = _truth();
        (bytes32 r, bytes32 vs) = _signAnswer(OPERATOR_KEY, later);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotAllowed.selector, operator));
        court.challenge(later, r, vs, s);

        vm.warp(a.until);
        _challengeSigned(OPERATOR_KEY, alice, a, s);
    }

    /// @dev Nobody's key binds nobody, also not to an answer whose `until` is what a stranger's key answers up to.
    function testFuzz_challenge_refusesAStrangersKey(uint64 until) public {
        Answer memory a = _answerOf(_truth());
        a.until = until;
        Statement memory s = _truth();
        (bytes32 r, bytes32 vs) = _signAnswer(SIGNER_KEY, a);
        if (block.timestamp > until) vm.warp(until);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotAllowed.selector, signer));
        court.challenge(a, r, vs, s);
    }

    function test_challenge_needsTheBond() public {
        address poor = address(0x9004);
        Answer memory a = _answerOf(_truth());
        Statement memory s = _truth();
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        vm.prank(poor);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientAllowance(address,uint256,uint256)", address(court), 0, BOND)
        );
        court.challenge(a, r, vs, s);
    }

    /* SLOTS */

    /// @dev Clocks of one payee end at least a step apart, whichever answers are challenged; another payee's are its own.
    function test_challenge_givesEachChallengeOfAPayeeItsSlot() public {
        Statement memory s = _truth();
        Answer memory a = _answerOf(s);
        Answer memory b = _answerOf(s);
        b.charged -= 1;
        uint256 first = block.timestamp + PAYEE_CLOCK;
        bytes32[3] memory ids = [_challenge(alice, a, s), _challenge(bob, b, s), _challenge(carol, b, s)];
        _requireTurn(ids[0], Turn.Payee, first, "first");
        _requireTurn(ids[1], Turn.Payee, first + SLOT_STEP, "second");
        _requireTurn(ids[2], Turn.Payee, first + SLOT_STEP, "the same answer's root is due once");

        Answer memory others = _answerOf(s);
        others.payee = operator;
        bytes32 id = _challengeSigned(OPERATOR_KEY, alice, others, s);
        _requireTurn(id, Turn.Payee, first, "another payee");

        // each game has the payee's whole clock left once the root is there
        vm.warp(block.timestamp + 1 hours);
        _post(_digestOf(b));
        _ask(ids[1], s, 0);
        _ask(ids[2], s, 0);
        _requireTurn(ids[1], Turn.Payee, first + SLOT_STEP, "the second's reveals");
        _requireTurn(ids[2], Turn.Payee, first + 2 * SLOT_STEP, "the third's reveals");
    }

    function test_challenge_afterAQuietTimeHasTheWholeClock() public {
        Statement memory s = _truth();
        _challenge(alice, _answerOf(s), s);
        vm.warp(block.timestamp + 3 * PAYEE_CLOCK);
        Answer memory later = _answerOf(s);
        bytes32 id = _challenge(bob, later, s);
        _requireTurn(id, Turn.Payee, block.timestamp + PAYEE_CLOCK, "later");
    }

    /* POST */

    function test_post_givesEveryChallengerTheTurn() public {
        Statement memory s = _truth();
        Answer memory a = _answerOf(s);
        bytes32 first = _challenge(alice, a, s);
        vm.warp(block.timestamp + 1 hours);
        bytes32 second = _challenge(bob, a, s);
        vm.warp(block.timestamp + 1 hours);
        bytes32 root = TinyTrace.root(T);
        vm.expectEmit(address(court));
        emit ICourt.Posted(_digestOf(a), root);
        _post(_digestOf(a));
        uint256 due = block.timestamp + CHALLENGER_CLOCK;
        vm.warp(block.timestamp + 1 hours);
        _requireTurn(first, Turn.Challenger, due, "first");
        _requireTurn(second, Turn.Challenger, due, "second");
        bytes32 third = _challenge(carol, a, s);
        _requireTurn(third, Turn.Challenger, block.timestamp + CHALLENGER_CLOCK, "third");
        vm.assertEq(court.gameOf(third).node, root, "node");
    }

    function test_post_byTheOperatorUpToTheLastSecond() public {
        Statement memory s = _truth();
        Answer memory a = _answerOf(s);
        bytes32 digest = _digestOf(a);
        bytes32 id = _challenge(alice, a, s);
        uint256 due = block.timestamp + PAYEE_CLOCK;
        vm.warp(due + 1);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(ICourt.ClockExpired.selector, digest, due));
        court.post(digest, "root");
        vm.warp(due);
        vm.prank(operator);
        court.post(digest, "root");

        // all of the payee's clock is gone, and a floor is given
        uint256 floor = block.timestamp + CHALLENGER_CLOCK;
        vm.warp(floor);
        _requireTurn(id, Turn.Challenger, floor, "the challenger's last second");
    }

    function test_post_isForWhoAnswersNow() public {
        Answer memory a = _answerOf(_truth());
        bytes32 digest = _digestOf(a);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownAnswer.selector, digest));
        court.post(digest, "root");
        _challengeSigned(OPERATOR_KEY, alice, a, _truth());
        vm.prank(payee);
        channels.setOperator(operator, false);
        address[3] memory strangers = [stranger, alice, operator];
        for (uint256 i = 0; i < strangers.length; ++i) {
            vm.prank(strangers[i]);
            vm.expectRevert(abi.encodeWithSelector(ICourt.NotAllowed.selector, strangers[i]));
            court.post(digest, "root");
        }
    }

    function test_post_onceForTheAnswer() public {
        Answer memory a = _answerOf(_truth());
        bytes32 digest = _digestOf(a);
        _challenge(alice, a, _truth());
        _post(digest);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(ICourt.RootPosted.selector, digest));
        court.post(digest, "root");
        _challenge(bob, a, _truth());
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(ICourt.RootPosted.selector, digest));
        court.post(digest, "root");
    }
}
