// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccounts, Stake} from "../market/IAccounts.sol";
import {Answer} from "../market/TypedData.sol";
import {CourtTest} from "../mocks/CourtTest.t.sol";
import {Dispute, ICourt, Turn} from "./ICourt.sol";
import {Opening, Record, Statement, Target} from "./IReferee.sol";

/// @notice How challenges end, and who is paid what.
contract CourtEndTest is CourtTest {
    Statement private _s;
    Answer private _a;
    bytes32 private _answerDigest;

    function setUp() public override {
        super.setUp();
        _s = _lie();
        _a = _answerOf(_s);
        _answerDigest = _digestOf(_a);
    }

    /* REFUTE */

    /// @dev What needs no trace needs no root either.
    function test_refute_convictsBeforeTheRoot() public {
        bytes32 id = _challenge(alice, _a, _s);
        Target memory target;
        vm.expectEmit(address(court));
        emit ICourt.Refuted(id, _answerDigest, target);
        vm.expectEmit(address(court));
        emit ICourt.Convicted(_answerDigest, payee, id, alice);
        _refute(stranger, id, _s);

        vm.assertEq(court.convictedAt(_answerDigest), block.timestamp, "convicted at");
        vm.assertEq(court.openChallenges(payee), 0, "open challenges");
        vm.assertEq(uint256(court.gameOf(id).turn), uint256(Turn.Won), "won");
        vm.assertEq(channels.stakeOf(payee).amount, STAKE - PENALTY, "stake");
        vm.assertEq(channels.creditOf(alice), PENALTY / 4, "the challenger's");
        vm.assertEq(channels.compensationOf(_a.channelId), PENALTY / 4, "the payer's");
        vm.assertEq(channels.creditOf(stranger), 0, "who brought the evidence");
    }

    /// @dev At any time, in either's turn.
    function test_refute_atEveryPointOfTheGame() public {
        for (uint128 moves = 0; moves < 8; ++moves) {
            Answer memory a = _answerOf(_s);
            a.charged -= moves + 1;
            bytes32 id = _challenge(alice, a, _s);
            _post(_digestOf(a));
            for (uint256 i = 0; i < moves; ++i) {
                _move(id, _s);
            }
            _refute(alice, id, _s);
            vm.assertEq(court.convictedAt(_digestOf(a)), block.timestamp, "convicted");
        }
    }

    function test_refute_aTrueStatementReverts() public {
        Statement memory s = _truth();
        Answer memory a = _answerOf(s);
        bytes32 id = _challenge(alice, a, s);
        Target memory target;
        vm.prank(alice);
        (bool ok,) =
            address(court).call(abi.encodeCall(court.refute, (id, s, target, new Record[](0), "", new Opening[](0))));
        vm.assertTrue(!ok, "refuted");
        vm.assertEq(court.convictedAt(_digestOf(a)), 0, "convicted");
    }

    function test_refute_namesTheStatementThatWasSigned() public {
        Statement memory s = _truth();
        bytes32 id = _challenge(alice, _answerOf(s), s);
        Answer memory a = _answerOf(s);
        bytes memory reason = abi.encodeWithSelector(ICourt.WrongStatement.selector, _a.statementId, a.statementId);
        _refusedRefute(id, reason);
    }

    /// @dev An answer that has passed its window is final: only a challenge that was opened in time overturns it.
    function test_refute_needsAChallengeThatIsOpen() public {
        bytes32 nobodys = keccak256("id");
        _refusedRefute(nobodys, abi.encodeWithSelector(ICourt.UnknownChallenge.selector, nobodys));
        bytes32 id = _challenge(alice, _a, _s);
        _post(_answerDigest);
        uint256 due = block.timestamp + CHALLENGER_CLOCK;
        vm.warp(due + 1);
        _refusedRefute(id, abi.encodeWithSelector(ICourt.ClockExpired.selector, id, due));
        _timeout(id);
        _refusedRefute(id, abi.encodeWithSelector(ICourt.NotYourTurn.selector, id, Turn.Lost));
        bytes32 second = _challenge(bob, _a, _s);
        _refute(bob, second, _s);
        bytes memory over =
            abi.encodeWithSelector(ICourt.AlreadyConvicted.selector, _answerDigest, uint40(block.timestamp));
        _refusedRefute(second, over);
        _refusedRefute(id, over);
    }

    function test_refute_inTheLastSecondOfTheChallenger() public {
        bytes32 id = _challenge(alice, _a, _s);
        _post(_answerDigest);
        vm.warp(block.timestamp + CHALLENGER_CLOCK);
        _refute(alice, id, _s);
        vm.assertEq(court.convictedAt(_answerDigest), block.timestamp, "convicted");
    }

    /// @dev Copied from the mempool, sent by whoever, under whichever challenge: the first that is open is paid.
    function test_refute_paysTheChallengeOpenedFirst() public {
        _challenge(alice, _a, _s);
        bytes32 late = _challenge(bob, _a, _s);
        _refute(bob, late, _s);
        vm.assertEq(channels.creditOf(alice), PENALTY / 4, "the first");
        vm.assertEq(channels.creditOf(bob), 0, "the late one");
    }

    /// @dev Who opened first and fell silent is not paid, whether or not somebody has said so before.
    function test_refute_passesOverChallengesThatAreLost() public {
        bytes32 first = _challenge(alice, _a, _s);
        _post(_answerDigest);
        vm.warp(block.timestamp + CHALLENGER_CLOCK + 1);
        bytes32 second = _challenge(bob, _a, _s);
        _refusedRefute(second, abi.encodeWithSelector(ICourt.ExpiredFirst.selector, first));
        _timeout(first);
        _refute(bob, second, _s);
        vm.assertEq(channels.creditOf(bob), PENALTY / 4, "the second");
        vm.assertEq(channels.creditOf(alice), 0, "the first");
    }

    function _refusedRefute(bytes32 id, bytes memory reason) private {
        Target memory target;
        vm.prank(alice);
        vm.expectRevert(reason);
        court.refute(id, _s, target, new Record[](0), "", new Opening[](0));
    }

    /* AFTER THE END */

    function test_nothingMovesAfterAConviction() public {
        bytes32 first = _challenge(alice, _a, _s);
        bytes32 second = _challenge(bob, _a, _s);
        _refute(alice, first, _s);
        bytes memory over =
            abi.encodeWithSelector(ICourt.AlreadyConvicted.selector, _answerDigest, uint40(block.timestamp));
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, _a);
        vm.prank(carol);
        vm.expectRevert(over);
        court.challenge(_a, r, vs, _s);
        vm.prank(payee);
        vm.expectRevert(over);
        court.post(_answerDigest, "root");
        Record memory none;
        vm.prank(bob);
        vm.expectRevert(over);
        court.ask(second, _s, 0, "node", new bytes32[](0), none);
        vm.expectRevert(over);
        court.reveal(second, new bytes32[](1));
        vm.expectRevert(over);
        court.revealLeaf(second, "");
        vm.warp(block.timestamp + 10 * PAYEE_CLOCK);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NothingToEnd.selector));
        court.timeout(_one(second));
        vm.assertEq(channels.stakeOf(payee).amount, STAKE - PENALTY, "one penalty");
    }

    /* TIMEOUT */

    function test_timeout_convictsWhoDoesNotPost() public {
        bytes32 id = _challenge(alice, _a, _s);
        vm.warp(block.timestamp + PAYEE_CLOCK);
        _nothingToEnd(id);
        vm.warp(block.timestamp + 1);
        vm.expectEmit(address(court));
        emit ICourt.Silent(id, _answerDigest);
        vm.expectEmit(address(court));
        emit ICourt.Convicted(_answerDigest, payee, id, alice);
        vm.prank(stranger);
        vm.assertEq(_timeout(id), 1, "ended");
    }

    /// @dev A later challenge does not put the root off, and its own slot does not bring it nearer.
    function test_timeout_convictsAtTheEarliestSlot() public {
        _challenge(alice, _a, _s);
        vm.warp(block.timestamp + PAYEE_CLOCK - 1);
        bytes32 late = _challenge(bob, _a, _s);
        vm.warp(block.timestamp + 1);
        _nothingToEnd(late);
        vm.warp(block.timestamp + 1);
        _timeout(late);
        vm.assertEq(channels.creditOf(alice), PENALTY / 4, "the first is paid");
    }

    function test_timeout_convictsWhoDoesNotReveal() public {
        bytes32 first = _challenge(alice, _a, _s);
        bytes32 second = _challenge(bob, _a, _s);
        _post(_answerDigest);
        _ask(first, _s, 0);
        _ask(second, _s, 0);
        _reveal(first);
        vm.warp(block.timestamp + PAYEE_CLOCK + SLOT_STEP);
        _nothingToEnd(second);
        vm.warp(block.timestamp + 1);
        // the first challenger has fallen silent meanwhile
        vm.expectRevert(abi.encodeWithSelector(ICourt.ExpiredFirst.selector, first));
        court.timeout(_one(second));
        bytes32[] memory ids = new bytes32[](2);
        (ids[0], ids[1]) = (first, second);
        vm.assertEq(court.timeout(ids), 2, "ended");
        vm.assertEq(channels.creditOf(bob), PENALTY / 4, "the second is paid");
    }

    /// @dev Half to the payee, half to nobody; the answer stands as it stood.
    function test_timeout_takesTheBondOfASilentChallenger() public {
        bytes32 id = _challenge(alice, _a, _s);
        _post(_answerDigest);
        vm.warp(block.timestamp + CHALLENGER_CLOCK);
        _nothingToEnd(id);
        vm.warp(block.timestamp + 1);
        vm.expectEmit(address(court));
        emit ICourt.Lost(id, _answerDigest, BOND / 2, BOND / 2);
        vm.assertEq(_timeout(id), 1, "ended");
        vm.assertEq(court.creditOf(payee), BOND / 2, "the payee's half");
        vm.assertEq(court.creditOf(alice), 0, "the challenger's");
        vm.assertEq(court.openChallenges(payee), 0, "open challenges");
        vm.assertEq(uint256(court.gameOf(id).turn), uint256(Turn.Lost), "lost");
        Dispute memory d = court.disputeOf(_answerDigest);
        vm.assertEq(d.open, 0, "open");
        vm.assertEq(d.head, 0, "head");
        _nothingToEnd(id);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NoBond.selector, id));
        court.takeBond(id);
        vm.prank(payee);
        vm.assertEq(court.withdraw(), BOND / 2, "withdrawn");
    }

    function test_timeout_skipsWhatHasNotEnded() public {
        Answer memory other = _answerOf(_truth());
        bytes32 going = _challenge(alice, other, _truth());
        _post(_digestOf(other));
        bytes32 silent = _challenge(alice, _a, _s);
        _post(_answerDigest);
        vm.warp(block.timestamp + CHALLENGER_CLOCK);
        _ask(going, _truth(), 0);
        vm.warp(block.timestamp + 1);
        bytes32[] memory ids = new bytes32[](5);
        (ids[0], ids[1], ids[2], ids[3], ids[4]) = (going, silent, silent, keccak256("id"), 0);
        vm.assertEq(court.timeout(ids), 1, "ended");
        _requireTurn(going, Turn.Payee, block.timestamp - 1 + PAYEE_CLOCK, "going on");
        vm.expectRevert(abi.encodeWithSelector(ICourt.NothingToEnd.selector));
        court.timeout(new bytes32[](0));
    }

    function _nothingToEnd(bytes32 id) private {
        vm.expectRevert(abi.encodeWithSelector(ICourt.NothingToEnd.selector));
        court.timeout(_one(id));
    }

    /* BONDS */

    function test_takeBond_goesBackToAllThatWereOpen() public {
        bytes32[3] memory ids = [_challenge(alice, _a, _s), _challenge(bob, _a, _s), _challenge(carol, _a, _s)];
        vm.expectRevert(abi.encodeWithSelector(ICourt.NoBond.selector, ids[0]));
        court.takeBond(ids[0]);
        _refute(carol, ids[2], _s);
        address[3] memory who = [alice, bob, carol];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(court));
            emit ICourt.BondTaken(ids[i], who[i], BOND);
            vm.assertEq(court.takeBond(ids[i]), BOND, "bond");
            vm.expectRevert(abi.encodeWithSelector(ICourt.NoBond.selector, ids[i]));
            court.takeBond(ids[i]);
            vm.prank(who[i]);
            vm.assertEq(court.withdraw(), BOND, "withdrawn");
            vm.assertEq(token.balanceOf(who[i]), 100 * TUSD, "whole again");
            vm.prank(who[i]);
            vm.assertEq(court.withdraw(), 0, "nothing more");
        }
        vm.assertEq(token.balanceOf(address(court)), 0, "the court's tokens");
        vm.expectRevert(abi.encodeWithSelector(ICourt.NoBond.selector, bytes32("id")));
        court.takeBond("id");
    }

    /// @dev One that was lost when the conviction came is not saved by it, however much later somebody looks.
    function test_takeBond_knowsWhatWasLostBefore() public {
        _challenge(alice, _a, _s);
        vm.warp(block.timestamp + 1 hours);
        bytes32 lost = _challenge(bob, _a, _s);
        _post(_answerDigest);
        uint256 postedAt = block.timestamp;
        vm.warp(postedAt + CHALLENGER_CLOCK - 1);
        bytes32 first = keccak256(abi.encode(_answerDigest, alice));
        _ask(first, _s, 0);
        _reveal(first);
        vm.warp(postedAt + CHALLENGER_CLOCK + 1);
        bytes32 late = _challenge(carol, _a, _s);
        _refute(carol, late, _s);

        vm.assertEq(uint256(court.gameOf(lost).turn), uint256(Turn.Lost), "lost");
        vm.expectRevert(abi.encodeWithSelector(ICourt.NoBond.selector, lost));
        court.takeBond(lost);
        vm.warp(block.timestamp + 100 * CHALLENGER_CLOCK);
        court.takeBond(first);
        court.takeBond(late);
        vm.assertEq(channels.creditOf(alice), PENALTY / 4, "the first is paid");
    }

    /// @dev A conviction in the challenger's last second finds it open, a second later it is lost.
    function test_takeBond_atTheBoundary() public {
        for (uint128 late = 0; late < 2; ++late) {
            Answer memory a = _answerOf(_s);
            a.charged -= late + 1;
            _challenge(alice, a, _s);
            bytes32 bobs = _challenge(bob, a, _s);
            _post(_digestOf(a));
            bytes32 first = keccak256(abi.encode(_digestOf(a), alice));
            _ask(first, _s, 0);
            vm.warp(block.timestamp + CHALLENGER_CLOCK + late);
            _refute(alice, first, _s);
            if (late > 0) vm.expectRevert(abi.encodeWithSelector(ICourt.NoBond.selector, bobs));
            court.takeBond(bobs);
        }
    }

    /* MONEY AT STAKE */

    /// @dev A quarter each to the challenger and for the channel's payer, the rest burnt, with all held income.
    function test_conviction_sharesThePenaltyAndBurnsHeldIncome() public {
        _deposit(_aChannel(), 10 * TUSD);
        _redeem(_aChannel(), 5 * TUSD, 4 * TUSD);
        (uint96 held,) = channels.incomeOf(payee);
        bytes32 id = _challenge(alice, _a, _s);
        vm.expectEmit(address(channels));
        emit IAccounts.StakeTaken(payee, PENALTY, STAKE - PENALTY, 0);
        vm.expectEmit(address(channels));
        emit IAccounts.Convicted(payee, alice, _a.channelId, PENALTY, PENALTY / 2 + held);
        _refute(alice, id, _s);
        (uint96 left,) = channels.incomeOf(payee);
        vm.assertEq(left, 0, "held income");

        vm.assertEq(channels.takeCompensation(_aChannel()), PENALTY / 4, "compensation");
        vm.assertEq(channels.takeCompensation(_aChannel()), 0, "once");
        uint256 before = token.balanceOf(payer);
        vm.prank(payer);
        channels.withdraw();
        vm.assertEq(token.balanceOf(payer) - before, PENALTY / 4, "the payer's");
        vm.prank(alice);
        vm.assertEq(channels.withdraw(), PENALTY / 4, "the challenger's");
    }

    /// @dev A liar with less than a penalty loses what it has; with nothing, the conviction still ends the game.
    function test_conviction_takesWhatThereIs() public {
        _unbondAll(STAKE - 7);
        _refute(alice, _challenge(alice, _a, _s), _s);
        vm.assertEq(channels.stakeOf(payee).amount, 0, "stake");
        vm.assertEq(channels.creditOf(alice), 1, "a quarter of seven, rounded down");
        Answer memory a = _answerOf(_s);
        a.charged -= 1;
        _refute(alice, _challenge(alice, a, _s), _s);
        vm.assertEq(channels.creditOf(alice), 1, "nothing more");
        vm.assertEq(court.convictedAt(_digestOf(a)), block.timestamp, "convicted");
    }

    /* UNBONDING */

    /// @dev An answer accepted in the second in which its payee starts to unbond can be challenged up to the last second of
    ///      the hold, and the stake is there.
    function test_finishUnbond_notBeforeTheLastAnswerIsFinal() public {
        vm.prank(payee);
        channels.startUnbond(STAKE);
        Answer memory a = _answerOf(_s);
        a.until = uint64(block.timestamp + HOLD);
        vm.warp(a.until);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.TooEarly.selector, a.until + 1));
        channels.finishUnbond();
        bytes32 id = _challenge(alice, a, _s);

        vm.warp(a.until + 1);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ChallengesOpen.selector, 1));
        channels.finishUnbond();
        _refute(alice, id, _s);
        Stake memory left = channels.stakeOf(payee);
        vm.assertEq(left.amount, STAKE - PENALTY, "stake");
        vm.assertEq(left.unbonding, STAKE - PENALTY, "what is unbonding answers too");
        vm.prank(payee);
        vm.assertEq(channels.finishUnbond(), STAKE - PENALTY, "what is left may go");
    }

    function test_finishUnbond_onceAChallengeIsLost() public {
        bytes32 id = _challenge(alice, _a, _s);
        _post(_answerDigest);
        vm.prank(payee);
        channels.startUnbond(STAKE);
        vm.warp(block.timestamp + HOLD + 1);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ChallengesOpen.selector, 1));
        channels.finishUnbond();
        _timeout(id);
        vm.prank(payee);
        vm.assertEq(channels.finishUnbond(), STAKE, "released");
    }

    function _unbondAll(uint96 amount) private {
        vm.prank(payee);
        channels.startUnbond(amount);
        vm.warp(block.timestamp + HOLD + 1);
        vm.prank(payee);
        channels.finishUnbond();
        _a.until = uint64(block.timestamp + WINDOW);
    }

    function test_convict_isForTheCourtAlone() public {
        address[3] memory others = [payee, alice, address(channels)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, others[i]));
            channels.convict(payee, alice, "channel");
        }
    }
}
