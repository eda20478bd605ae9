// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Dispute, Game, ICourt, Turn} from "../court/ICourt.sol";
import {Opening, Record, Statement, Target} from "../court/IReferee.sol";
import {Stake} from "../market/IAccounts.sol";
import {Answer} from "../market/TypedData.sol";
import {CourtTest} from "./CourtTest.t.sol";
import {TinyTrace} from "./TinyTrace.t.sol";

/// @title CourtHandler
/// @notice Disputes in which random people do random things at random times, for invariant runs. `payee` answers truly and
///         moves in time, `operator` is a payee that lies every other time and moves when it likes. Alice and Bob challenge
///         lies and move in time; Carol and Dan challenge anything and move when they like.
contract CourtHandler is CourtTest {
    uint256 private constant MOST_ANSWERS = 16;
    uint256 private constant HOT_KEY = 0x407;

    address private _hot;
    address private _liar;
    address[4] private _challengers;

    bytes32 private _traceRoot;
    Answer[] private _answers;
    Statement[] private _statements;
    bytes32[] private _ids; // in the order of opening
    mapping(bytes32 id => uint256 answer) private _answerOfGame;
    mapping(bytes32 id => bool) private _isTaken;
    mapping(bytes32 id => bool) private _isSaidLost;
    mapping(bytes32 id => bool) private _isLostAtTheEnd; // when the conviction came, though nobody had said so
    /// @notice Stake that has been paid back.
    mapping(address payee => uint256) private _releasedOf;
    /// @notice What PaymentChannels has paid out in all; nothing but stakes has come in.
    uint256 private _paidOut;

    function setUp() public override {
        super.setUp();
        _traceRoot = TinyTrace.root(T);
        (_hot, _liar) = (vm.addr(HOT_KEY), operator);
        _challengers = [alice, bob, carol, address(0xDA4)];
        _fundChallenger(_challengers[3]);
        _fund(_liar, 1_000 * TUSD);
        vm.prank(_liar);
        channels.stake(STAKE);
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(i == 0 ? payee : _liar);
            channels.setOperator(_hot, true);
        }
    }

    function selectors() external pure returns (bytes4[] memory all) {
        all = new bytes4[](12);
        all[0] = this.answer.selector;
        all[1] = this.open.selector;
        all[2] = this.open.selector; // twice as often as the rest, as are moves
        all[3] = this.play.selector;
        all[4] = this.play.selector;
        all[5] = this.play.selector;
        all[6] = this.end.selector;
        all[7] = this.wait.selector;
        all[8] = this.takeMoney.selector;
        all[9] = this.rotateKey.selector;
        all[10] = this.unbond.selector;
        all[11] = this.misbehave.selector;
    }

    /* WHAT PEOPLE DO */

    function answer() public {
        uint256 n = _answers.length;
        if (n == MOST_ANSWERS) return;
        Statement memory s = n % 4 == 1 ? _lie() : _truth();
        Answer memory a = _answerOf(s);
        a.payee = n % 2 == 0 ? payee : _liar;
        a.charged -= uint128(n);
        _answers.push(a);
        _statements.push(s);
    }

    /// @notice A challenge, where it may be opened. The honest ones challenge lies only.
    function open(uint256 which, uint256 who, bool byHotKey) external {
        if (_answers.length < 2 || block.timestamp > _answers[_answers.length - 1].until) answer();
        which = _answers.length - 1 - which % (_answers.length < 3 ? _answers.length : 3); // one of the latest
        who %= 4;
        Answer memory a = _answers[which];
        if (who < 2 && which % 4 != 1) return;
        if (block.timestamp > a.until || court.convictedAt(_digestOf(a)) != 0) return;
        if (byHotKey && channels.answerableUntil(a.payee, _hot) < a.until) return;
        bytes32 id = court.challengeId(_digestOf(a), _challengers[who]);
        if (court.gameOf(id).challenger != address(0)) return;
        uint256 key = byHotKey ? HOT_KEY : a.payee == payee ? PAYEE_KEY : OPERATOR_KEY;
        if (token.balanceOf(_challengers[who]) < BOND) token.mint(_challengers[who], BOND);

        vm.assertEq(_challengeSigned(key, _challengers[who], a, _statements[which]), id, "id");
        _ids.push(id);
        _answerOfGame[id] = which;
    }

    /// @notice Whoever has the turn in a game moves, or refutes if the answer is a lie.
    function play(uint256 which, uint256 how) external {
        if (_ids.length > 0) _play(_ids[which % _ids.length], how);
    }

    /// @notice Somebody says what a clock has ended.
    function end(uint256 which) external {
        if (_ids.length > 0) _end(_ids[which % _ids.length]);
    }

    /// @notice Time passes, often to the last second of somebody's clock, or of an answer's window or a withdrawal, or one
    ///         second further. The honest have moved before theirs is over.
    function wait(uint256 kind, uint256 which, uint32 seconds_) external {
        uint256 target = block.timestamp + _bound(seconds_, 1, 1 days);
        if (kind % 4 > 0 && _ids.length > 0) target = court.gameOf(_ids[which % _ids.length]).deadline + kind % 2;
        if (kind % 16 == 4 && _answers.length > 0) target = _answers[which % _answers.length].until + which % 2;
        if (kind % 16 == 8) target = channels.stakeOf(which % 2 == 0 ? payee : _liar).releasedAt + which % 2;
        if (target <= block.timestamp) return;
        for (uint256 i = 0; i < _ids.length; ++i) {
            Game memory g = court.gameOf(_ids[i]);
            if (g.deadline < target && _isHonestTurn(g, _ids[i])) _play(_ids[i], 0);
        }
        vm.warp(target);
    }

    function takeMoney(uint256 which, uint256 who) external {
        if (_ids.length == 0) return;
        bytes32 id = _ids[which % _ids.length];
        (bool ok,) = address(court).call(abi.encodeCall(court.takeBond, (id)));
        bool isWon = court.convictedAt(court.gameOf(id).answerDigest) != 0 && !_isSaidLost[id] && !_isLostAtTheEnd[id];
        bool isDue = isWon && !_isTaken[id];
        vm.assertTrue(ok == isDue, "a bond goes back once, if it was open at the conviction");
        if (ok) _isTaken[id] = true;
        address[6] memory people = [_challengers[0], bob, carol, _challengers[3], payee, _liar];
        vm.prank(people[who % 6]);
        court.withdraw();
        channels.takeCompensation(_aChannel());
        vm.prank(people[who % 6]);
        _paidOut += channels.withdraw();
    }

    function rotateKey(bool ofLiar, bool isAllowed) external {
        vm.prank(ofLiar ? _liar : payee);
        channels.setOperator(_hot, isAllowed);
    }

    function unbond(bool ofLiar, uint96 amount, bool finish) external {
        address account = ofLiar ? _liar : payee;
        Stake memory before = channels.stakeOf(account);
        if (!finish) {
            amount = uint96(_bound(amount, 0, before.amount));
            vm.prank(account);
            return channels.startUnbond(amount);
        }
        vm.prank(account);
        (bool ok,) = address(channels).call(abi.encodeCall(channels.finishUnbond, ()));
        bool isDue = before.unbonding > 0 && block.timestamp >= before.releasedAt && _openOf(account) == 0;
        vm.assertTrue(ok == isDue, "stake leaves when it is due, and never while a challenge is open");
        if (!ok) return;
        _releasedOf[account] += before.unbonding;
        _paidOut += before.unbonding;
    }

    /// @notice Moves that must fail, whoever makes them and when.
    function misbehave(uint256 which) external {
        if (_ids.length == 0) return;
        bytes32 id = _ids[which % _ids.length];
        Game memory g = court.gameOf(id);
        Statement memory s = _statements[_answerOfGame[id]];
        Target memory target;
        Record memory none;
        _fails(stranger, abi.encodeCall(court.post, (g.answerDigest, "root")), "a stranger's root");
        _fails(stranger, abi.encodeCall(court.ask, (id, s, 0, g.node, new bytes32[](0), none)), "a stranger's ask");
        bool isOver = g.turn == Turn.Lost || g.turn == Turn.Won;
        bool isLate = block.timestamp > g.deadline;
        if (isOver || g.turn != Turn.Challenger || isLate) {
            bytes memory call = abi.encodeCall(court.ask, (id, s, 0, g.node, new bytes32[](0), none));
            _fails(g.challenger, call, "an ask out of turn");
        }
        if (isOver || g.turn != Turn.Payee || isLate) {
            _fails(payee, abi.encodeCall(court.reveal, (id, new bytes32[](3))), "a reveal out of turn");
            _fails(payee, abi.encodeCall(court.revealLeaf, (id, hex"00")), "a leaf out of turn");
        }
        if (isOver || _answerOfGame[id] % 4 != 1) {
            bytes memory call = abi.encodeCall(court.refute, (id, s, target, new Record[](0), "", new Opening[](0)));
            _fails(g.challenger, call, "a refutation of the truth, or after the end");
        }
        if (isOver || !isLate) _fails(stranger, abi.encodeCall(court.timeout, (_one(id))), "nothing to end");
    }

    /* WHAT MUST BE SO */

    /// @dev Bonds of games that go on, bonds that wait, credits, and what was burnt: half of a bond that was lost, all of
    ///      one that nobody had called lost before the conviction came.
    function requireCourtConserved() external view {
        uint256 owed = 0;
        for (uint256 i = 0; i < _ids.length; ++i) {
            if (_isSaidLost[_ids[i]]) owed += BOND - BOND / 2;
            else if (!_isTaken[_ids[i]]) owed += BOND;
            bool isLost = _isSaidLost[_ids[i]] || _isLostAtTheEnd[_ids[i]];
            vm.assertTrue((court.gameOf(_ids[i]).turn == Turn.Lost) == isLost, "lost is who was late at the end");
        }
        address[6] memory people = [_challengers[0], bob, carol, _challengers[3], payee, _liar];
        for (uint256 i = 0; i < people.length; ++i) {
            owed += court.creditOf(people[i]);
        }
        vm.assertEq(token.balanceOf(address(court)), owed, "the court's tokens");
    }

    /// @dev What has come in as stake is paid out, or still stake, or was taken: then half of it is burnt, within rounding,
    ///      and the rest a challenger's or a payer's.
    function requireStakesConserved() external view {
        vm.assertEq(token.balanceOf(address(channels)) + _paidOut, 2 * uint256(STAKE), "stakes go where it is known");
        vm.assertEq(channels.stakeOf(payee).amount + _releasedOf[payee], STAKE, "an honest payee's stake");
        uint256 credits = channels.creditOf(payer)
            + channels.compensationOf(_answers.length > 0 ? _answers[0].channelId : bytes32(0));
        for (uint256 i = 0; i < 4; ++i) {
            credits += channels.creditOf(_challengers[i]);
        }
        uint256 taken = STAKE - channels.stakeOf(_liar).amount - _releasedOf[_liar];
        uint256 shared = credits + _paidOut - _releasedOf[payee] - _releasedOf[_liar];
        vm.assertLe(2 * shared, taken, "at most half of what was taken is shared");
        vm.assertLe(taken, 2 * shared + 3 * MOST_ANSWERS, "and no less than rounding takes from it");
    }

    /// @dev The truth stands, and who tells it or asks for it in time loses nothing.
    function requireHonestyKept() external view {
        for (uint256 i = 0; i < _answers.length; ++i) {
            if (i % 2 == 0) vm.assertEq(court.convictedAt(_digestOf(_answers[i])), 0, "an honest answer is convicted");
        }
        for (uint256 i = 0; i < _ids.length; ++i) {
            Game memory g = court.gameOf(_ids[i]);
            bool isHonest = g.challenger == alice || g.challenger == bob;
            if (isHonest) vm.assertTrue(g.turn != Turn.Lost, "an honest challenger has lost");
        }
    }

    function requireCountsKept() external view {
        vm.assertEq(court.openChallenges(payee), _openOf(payee), "open against the honest");
        vm.assertEq(court.openChallenges(_liar), _openOf(_liar), "open against the liar");
        for (uint256 i = 0; i < _answers.length; ++i) {
            bytes32 digest = _digestOf(_answers[i]);
            Dispute memory d = court.disputeOf(digest);
            if (d.convictedAt != 0) continue;
            uint256 count = 0;
            bytes32 head = 0;
            for (uint256 k = 0; k < _ids.length; ++k) {
                if (_answerOfGame[_ids[k]] != i || court.gameOf(_ids[k]).turn == Turn.Lost) continue;
                if (count++ == 0) head = _ids[k];
            }
            vm.assertEq(d.open, count, "open challenges of an answer");
            vm.assertEq(d.head, head, "the earliest of them");
        }
    }

    /* INTERNAL */

    function _play(bytes32 id, uint256 how) private {
        Game memory g = court.gameOf(id);
        if (block.timestamp > g.deadline) return;
        uint256 which = _answerOfGame[id];
        if (g.turn == Turn.Payee) {
            if (court.disputeOf(g.answerDigest).rootAt != 0) return _reveal(id);
            vm.prank(_answers[which].payee);
            court.post(g.answerDigest, _traceRoot);
        } else if (g.turn == Turn.Challenger) {
            if (which % 4 == 1 && (g.isLeafRevealed || how % 4 == 3)) return _prove(id, g);
            if (!g.isLeafRevealed) _ask(id, _statements[which], g.position.index << g.depth);
        }
    }

    /// @dev Evidence against a lie, once those that are lost before it are off the list.
    function _prove(bytes32 id, Game memory g) private {
        _endLostHeads(g.answerDigest);
        _markLost(g.answerDigest);
        uint256 before = channels.stakeOf(_liar).amount;
        Game memory first = court.gameOf(court.disputeOf(g.answerDigest).head);
        uint256 credit = channels.creditOf(first.challenger);
        _refute(stranger, id, _statements[_answerOfGame[id]]);
        uint256 taken = before < PENALTY ? before : PENALTY;
        vm.assertEq(before - channels.stakeOf(_liar).amount, taken, "the penalty");
        vm.assertEq(channels.creditOf(first.challenger) - credit, taken / 4, "the first challenger's part");
    }

    function _endLostHeads(bytes32 answerDigest) private {
        bytes32 head = court.disputeOf(answerDigest).head;
        while (court.gameOf(head).turn == Turn.Challenger && block.timestamp > court.gameOf(head).deadline) {
            _end(head);
            head = court.disputeOf(answerDigest).head;
        }
    }

    function _end(bytes32 id) private {
        Game memory g = court.gameOf(id);
        if (g.turn == Turn.Lost || g.turn == Turn.Won || block.timestamp <= g.deadline) return;
        if (g.turn == Turn.Challenger) _isSaidLost[id] = true;
        else _endLostHeads(g.answerDigest);
        if (g.turn == Turn.Payee) _markLost(g.answerDigest);
        vm.assertEq(court.timeout(_one(id)), 1, "ended");
    }

    /// @dev The answer is about to be convicted.
    function _markLost(bytes32 answerDigest) private {
        for (uint256 i = 0; i < _ids.length; ++i) {
            Game memory g = court.gameOf(_ids[i]);
            if (g.answerDigest != answerDigest || g.turn != Turn.Challenger) continue;
            if (block.timestamp > g.deadline) _isLostAtTheEnd[_ids[i]] = true;
        }
    }

    function _isHonestTurn(Game memory g, bytes32 id) private view returns (bool) {
        if (g.turn == Turn.Payee) return _answers[_answerOfGame[id]].payee == payee;
        return g.turn == Turn.Challenger && (g.challenger == alice || g.challenger == bob);
    }

    function _openOf(address account) private view returns (uint256 count) {
        for (uint256 i = 0; i < _ids.length; ++i) {
            Turn turn = court.gameOf(_ids[i]).turn;
            bool isOpen = turn == Turn.Payee || turn == Turn.Challenger;
            if (isOpen && _answers[_answerOfGame[_ids[i]]].payee == account) ++count;
        }
    }

    function _fails(address sender, bytes memory call, string memory what) private {
        vm.prank(sender);
        (bool ok,) = address(court).call(call);
        vm.assertTrue(!ok, what);
    }
}
