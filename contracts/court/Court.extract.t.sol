// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Answer} from "../market/TypedData.sol";
import {CourtTest} from "../mocks/CourtTest.t.sol";
import {ReferenceTree} from "../mocks/ReferenceTree.t.sol";
import {TinyTrace} from "../mocks/TinyTrace.t.sol";
import {Game, ICourt, Turn} from "./ICourt.sol";
import {Record, Statement} from "./IReferee.sol";
import {List, Position} from "./Position.sol";

/// @notice Asking and revealing, down to a leaf.
contract CourtExtractTest is CourtTest {
    using ReferenceTree for bytes32[];

    Statement private _s;
    bytes32 private _id;
    bytes32 private _digestOfAnswer;

    function setUp() public override {
        super.setUp();
        _s = _truth();
        Answer memory a = _answerOf(_s);
        _digestOfAnswer = _digestOf(a);
        _id = _challenge(alice, a, _s);
        _post(_digestOfAnswer);
    }

    /* WHOLE GAMES */

    /// @dev Every leaf of the trace can be reached by its challenger and shown by its payee. There are 9 of the loop, 31 of
    ///      stage 1 and one of stage 2.
    function test_everyLeafCanBeReached() public {
        for (uint256 t = 0; t < T; ++t) {
            this.playTo(0, t, 0, 0);
            this.playTo(0, t, 0, 1);
            this.playTo(0, t, 1, 0);
        }
        for (uint256 leaf = 0; leaf < 31; ++leaf) {
            this.playTo(1, 0, 0, leaf);
        }
        this.playTo(2, 0, 0, 0);
    }

    /// @notice A challenger of its own goes to the leaf and finds its bytes there.
    /// @dev External, so that its memory is free again for the next.
    function playTo(uint256 stage, uint256 t, uint256 fold, uint256 leaf) external {
        address challenger = address(uint160(uint256(keccak256(abi.encode(stage, t, fold, leaf)))));
        _fundChallenger(challenger);
        Answer memory a = _answerOf(_s);
        bytes32 id = _challenge(challenger, a, _s);
        uint256 rounds = 0;
        while (!court.gameOf(id).isLeafRevealed) {
            Game memory g = court.gameOf(id);
            uint256 element = g.position.list == List.Stages
                ? stage
                : g.position.list == List.Steps ? t : g.position.list == List.Folds ? fold : leaf;
            _ask(id, _s, uint32(element >> (g.position.height - g.depth)));
            _reveal(id);
            vm.assertLe(++rounds, 5, "rounds");
        }
        Position memory p = court.gameOf(id).position;
        vm.assertEq(p.stage, stage, "stage");
        vm.assertEq(p.t, t, "t");
        vm.assertEq(p.fold, fold, "fold");
        vm.assertEq(p.index, leaf, "leaf");
        vm.assertEq(p.tensorBytes, TinyTrace.tensorBytes(stage, t, fold, T), "bytes of the tensor");
        bytes32 node = court.gameOf(id).node;
        vm.assertEq(node, ReferenceTree.leaf(TinyTrace.leafAt(p, leaf, T)), "the leaf");
        _requireTurn(id, Turn.Challenger, block.timestamp + CHALLENGER_CLOCK, "the challenger is to refute");
    }

    /* ASK */

    function test_ask_beginsAtTheRoot() public {
        bytes32 root = TinyTrace.root(T);
        Position memory p = court.gameOf(_id).position;
        vm.expectEmit(address(court));
        emit ICourt.Asked(_id, p, root);
        _ask(_id, _s, 0);
        vm.assertEq(court.gameOf(_id).node, root, "node");
        _requireTurn(_id, Turn.Payee, block.timestamp + PAYEE_CLOCK, "asked");
    }

    function test_ask_isForTheChallenger() public {
        bytes32 root = TinyTrace.root(T);
        Record memory none;
        address[3] memory others = [bob, payee, stranger];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(ICourt.NotAllowed.selector, others[i]));
            court.ask(_id, _s, 0, root, new bytes32[](0), none);
        }
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.UnknownChallenge.selector, bytes32("id")));
        court.ask("id", _s, 0, root, new bytes32[](0), none);
    }

    function test_ask_refusesChildrenThatAreNotThere() public {
        bytes32 root = TinyTrace.root(T);
        _refusedAsk(1, root, new bytes32[](0), abi.encodeWithSelector(ICourt.BadChild.selector, 1, 0, 1));
        _move(_id, _s);
        _move(_id, _s);
        bytes32 node = keccak256("node");
        _refusedAsk(3, node, new bytes32[](0), abi.encodeWithSelector(ICourt.BadChild.selector, 3, 0, 3));
        uint32 most = type(uint32).max;
        _refusedAsk(most, node, new bytes32[](0), abi.encodeWithSelector(ICourt.BadChild.selector, most, 0, 3));
    }

    function test_ask_refusesWhatIsNotUnderTheNode() public {
        bytes memory badPath = abi.encodeWithSelector(ICourt.BadPath.selector);
        bytes32 root = TinyTrace.root(T);
        _refusedAsk(0, keccak256("root"), new bytes32[](0), badPath);
        _refusedAsk(0, root, new bytes32[](1), badPath);
        _move(_id, _s);
        _move(_id, _s);
        Game memory g = court.gameOf(_id);
        bytes32[] memory nodes = TinyTrace.elements(g.position, T);
        bytes32[] memory path = nodes.pathAt(0, 1, 2);
        _refusedAsk(0, nodes[1], path, badPath); // another place
        _refusedAsk(1, nodes[0], path, badPath); // another node
        path[0] = keccak256("sibling");
        _refusedAsk(1, nodes[1], path, badPath);
        _refusedAsk(1, nodes[1], new bytes32[](1), badPath);
    }

    function _refusedAsk(uint32 child, bytes32 node, bytes32[] memory path, bytes memory reason) private {
        Record memory none;
        vm.prank(alice);
        vm.expectRevert(reason);
        court.ask(_id, _s, child, node, path, none);
    }

    function test_ask_namesTheStatementThatWasSigned() public {
        Statement memory other = _lie();
        bytes32 root = TinyTrace.root(T);
        Record memory none;
        bytes memory reason =
            abi.encodeWithSelector(ICourt.WrongStatement.selector, TinyTrace.idOf(other), TinyTrace.idOf(_s));
        vm.prank(alice);
        vm.expectRevert(reason);
        court.ask(_id, other, 0, root, new bytes32[](0), none);
    }

    /// @dev The lengths below a stage come from the record that the model id binds, and from no other.
    function test_ask_needsTheStagesRecord() public {
        _move(_id, _s);
        _move(_id, _s);
        uint32 index = uint32(TinyTrace.TENSORS);
        Record memory record;
        _refusedEntry(record, abi.encodeWithSelector(ICourt.RecordNeeded.selector, index));
        record = TinyTrace.record(1);
        _refusedEntry(record, abi.encodeWithSelector(ICourt.BadRecord.selector, index + 1));
        record.index = index;
        _refusedEntry(record, abi.encodeWithSelector(ICourt.BadRecord.selector, index));
        record = TinyTrace.record(0);
        record.path[0] = keccak256("sibling");
        _refusedEntry(record, abi.encodeWithSelector(ICourt.BadRecord.selector, index));
        record = TinyTrace.record(0);
        record.data[1] = hex"02"; // steps
        _refusedEntry(record, abi.encodeWithSelector(ICourt.BadRecord.selector, index));
        record = TinyTrace.record(0);
        record.path = new bytes32[](record.path.length + 1);
        _refusedEntry(record, abi.encodeWithSelector(ICourt.BadRecord.selector, index));
        _ask(_id, _s, 0);
        vm.assertEq(uint256(court.gameOf(_id).position.list), uint256(List.Steps), "entered");
    }

    function _refusedEntry(Record memory record, bytes memory reason) private {
        bytes32[] memory nodes = TinyTrace.elements(court.gameOf(_id).position, T);
        bytes32[] memory path = nodes.pathAt(0, 0, 2);
        vm.prank(alice);
        vm.expectRevert(reason);
        court.ask(_id, _s, 0, nodes[0], path, record);
    }

    /* REVEAL */

    function test_reveal_showsTheNodesToAnyone() public {
        _ask(_id, _s, 0);
        bytes32[] memory nodes = _children(court.gameOf(_id));
        vm.expectEmit(address(court));
        emit ICourt.Revealed(_id, 2, nodes);
        vm.prank(stranger);
        court.reveal(_id, nodes);
        vm.assertEq(court.gameOf(_id).depth, 2, "depth");
        _requireTurn(_id, Turn.Challenger, block.timestamp + CHALLENGER_CLOCK, "revealed");
    }

    function test_reveal_refusesOtherNodes() public {
        _ask(_id, _s, 0);
        bytes32[] memory nodes = _children(court.gameOf(_id));
        bytes32 root = court.gameOf(_id).node;
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadLength.selector, 2, 3));
        court.reveal(_id, new bytes32[](2));
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadLength.selector, 4, 3));
        court.reveal(_id, new bytes32[](4));
        (nodes[0], nodes[1]) = (nodes[1], nodes[0]);
        bytes32 merged = nodes.root();
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadReveal.selector, root, merged));
        court.reveal(_id, nodes);
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadLength.selector, 1, 0));
        court.revealLeaf(_id, hex"00");
    }

    /// @dev A tree whose nodes hash to the root but stand elsewhere: it has no nodes that can be shown.
    function test_reveal_ofATreeOfAnotherShapeIsImpossible() public {
        Answer memory a = _answerOf(_s);
        a.charged -= 1;
        bytes32 id = _challenge(bob, a, _s);
        bytes32[] memory nodes = TinyTrace.elements(court.gameOf(id).position, T);
        bytes32[] memory padded = new bytes32[](4);
        (padded[0], padded[1], padded[2], padded[3]) = (nodes[0], nodes[1], nodes[2], 0);
        bytes32 root = padded.root();
        bytes32 digest = _digestOf(a);
        vm.prank(payee);
        court.post(digest, root);
        Record memory none;
        vm.prank(bob);
        court.ask(id, _s, 0, root, new bytes32[](0), none);
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadLength.selector, 4, 3));
        court.reveal(id, padded);
        bytes32 honest = nodes.root();
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadReveal.selector, root, honest));
        court.reveal(id, nodes);
    }

    function test_revealLeaf_hasExactlyItsBytes() public {
        _toFirstLeafOf(1);
        Game memory g = court.gameOf(_id);
        bytes memory leaf = TinyTrace.leafAt(g.position, 0, T);
        bytes memory short = new bytes(1023);
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadLength.selector, 1023, 1024));
        court.revealLeaf(_id, short);
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadLength.selector, 1025, 1024));
        court.revealLeaf(_id, bytes.concat(leaf, hex"00"));
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadLength.selector, 1, 0));
        court.reveal(_id, new bytes32[](1));
        leaf[1023] = hex"01";
        bytes32 hash = ReferenceTree.leaf(leaf);
        vm.expectRevert(abi.encodeWithSelector(ICourt.BadReveal.selector, g.node, hash));
        court.revealLeaf(_id, leaf);
        leaf[1023] = hex"00";
        vm.expectEmit(address(court));
        emit ICourt.LeafRevealed(_id, leaf);
        court.revealLeaf(_id, leaf);
    }

    function test_revealLeaf_endsTheAsking() public {
        _toFirstLeafOf(2);
        _reveal(_id);
        vm.assertTrue(court.gameOf(_id).isLeafRevealed, "revealed");
        bytes32 node = court.gameOf(_id).node;
        Record memory none;
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.LeafIsRevealed.selector, _id));
        court.ask(_id, _s, 0, node, new bytes32[](0), none);
    }

    function _toFirstLeafOf(uint32 stage) private {
        _move(_id, _s);
        _move(_id, _s);
        _ask(_id, _s, stage);
        while (court.gameOf(_id).position.height > 0) {
            _move(_id, _s);
        }
    }

    /* TURNS AND CLOCKS */

    function test_movesOutOfTurnAreRefused() public {
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotYourTurn.selector, _id, Turn.Challenger));
        court.reveal(_id, new bytes32[](3));
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotYourTurn.selector, _id, Turn.Challenger));
        court.revealLeaf(_id, "");
        _ask(_id, _s, 0);
        bytes memory notNow = abi.encodeWithSelector(ICourt.NotYourTurn.selector, _id, Turn.Payee);
        _refusedAsk(0, TinyTrace.root(T), new bytes32[](0), notNow);
        _reveal(_id);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotYourTurn.selector, _id, Turn.Challenger));
        court.reveal(_id, new bytes32[](3)); // the same move twice
    }

    function test_beforeTheRootNobodyMoves() public {
        Answer memory a = _answerOf(_s);
        a.charged -= 1;
        bytes32 id = _challenge(alice, a, _s);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotYourTurn.selector, id, Turn.Payee));
        court.reveal(id, new bytes32[](3));
        Record memory none;
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotYourTurn.selector, id, Turn.Payee));
        court.ask(id, _s, 0, "node", new bytes32[](0), none);
    }

    /// @dev Each side has its whole clock for all its moves together, and may use it to the last second.
    function testFuzz_clocksRunForWhoeverHasTheTurn(uint32[8] calldata waits) public {
        uint256 payeeLeft = PAYEE_CLOCK;
        uint256 challengerLeft = CHALLENGER_CLOCK;
        for (uint256 i = 0; i < waits.length && !court.gameOf(_id).isLeafRevealed; ++i) {
            bool isPayees = court.gameOf(_id).turn == Turn.Payee;
            uint256 left = isPayees ? payeeLeft : challengerLeft;
            _requireTurn(_id, isPayees ? Turn.Payee : Turn.Challenger, block.timestamp + left, "before the move");
            uint256 wait = _bound(waits[i], 0, left);
            vm.warp(block.timestamp + wait);
            if (isPayees) (payeeLeft, challengerLeft) = (payeeLeft - wait, _atLeastFloor(challengerLeft));
            else (payeeLeft, challengerLeft) = (_atLeastFloor(payeeLeft), challengerLeft - wait);
            _move(_id, _s);
        }
    }

    function _atLeastFloor(uint256 left) private pure returns (uint256) {
        return left < FLOOR ? FLOOR : left;
    }

    function test_aMoveThatComesLateIsNone() public {
        uint256 due = block.timestamp + CHALLENGER_CLOCK;
        vm.warp(due + 1);
        bytes memory late = abi.encodeWithSelector(ICourt.ClockExpired.selector, _id, due);
        _refusedAsk(0, TinyTrace.root(T), new bytes32[](0), late);
        vm.warp(due);
        _ask(_id, _s, 0);
        bytes32[] memory nodes = _children(court.gameOf(_id));
        uint256 payeeDue = block.timestamp + PAYEE_CLOCK;
        vm.warp(payeeDue + 1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.ClockExpired.selector, _id, payeeDue));
        court.reveal(_id, nodes);
    }
}
