// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Dispute, Game, ICourt, Turn} from "../court/ICourt.sol";
import {Opening, Record, Statement, Target} from "../court/IReferee.sol";
import {List, Position} from "../court/Position.sol";
import {Answer} from "../market/TypedData.sol";
import {MarketTest} from "./MarketTest.t.sol";
import {ReferenceTree} from "./ReferenceTree.t.sol";
import {TinyTrace} from "./TinyTrace.t.sol";

/// @title CourtTest
/// @notice A market with challengers, answers to challenge and both seats of a game. A lie here is an answer longer than its
///         program allows, which the referee convicts without opening anything: the game is played for the game.
abstract contract CourtTest is MarketTest {
    using ReferenceTree for bytes32[];

    uint32 internal constant T = 3;
    uint96 internal constant STAKE = 80 * TUSD;
    address internal alice = address(0xA11);
    address internal bob = address(0xB0B0);
    address internal carol = address(0xCA401);

    function setUp() public virtual override {
        super.setUp();
        _fundChallenger(alice);
        _fundChallenger(bob);
        _fundChallenger(carol);
        vm.prank(payee);
        channels.stake(STAKE);
    }

    function _fundChallenger(address account) internal {
        token.mint(account, 100 * TUSD);
        vm.prank(account);
        token.approve(address(court), type(uint256).max);
    }

    /* ANSWERS */

    function _truth() internal pure returns (Statement memory) {
        return TinyTrace.statement(T, 100);
    }

    function _lie() internal pure returns (Statement memory) {
        return TinyTrace.statement(T, T - 1);
    }

    function _answerOf(Statement memory s) internal view returns (Answer memory a) {
        a = _anAnswer(_aChannel(), 5 * TUSD, 4 * TUSD);
        a.statementId = TinyTrace.idOf(s);
    }

    function _digestOf(Answer memory a) internal view returns (bytes32) {
        return _digest(_answerHash(a));
    }

    /* MOVES */

    function _challenge(address challenger, Answer memory a, Statement memory s) internal returns (bytes32) {
        return _challengeSigned(PAYEE_KEY, challenger, a, s);
    }

    function _challengeSigned(
        uint256 key,
        address challenger,
        Answer memory a,
        Statement memory s
    ) internal returns (bytes32) {
        (bytes32 r, bytes32 vs) = _signAnswer(key, a);
        vm.prank(challenger);
        return court.challenge(a, r, vs, s);
    }

    function _post(bytes32 answerDigest) internal {
        bytes32 root = TinyTrace.root(T);
        vm.prank(payee);
        court.post(answerDigest, root);
    }

    /// @dev The challenger asks for the child number `child` of what has been revealed.
    function _ask(bytes32 id, Statement memory s, uint32 child) internal {
        Game memory g = court.gameOf(id);
        bytes32[] memory nodes = TinyTrace.elements(g.position, T);
        uint256 height = g.position.height - g.depth;
        Record memory record;
        if (height == 0 && g.position.list != List.Leaves) {
            record = TinyTrace.record(g.position.list == List.Stages ? child : g.position.stage);
        }
        bytes32 node = nodes.nodeAt(height, child);
        bytes32[] memory path = nodes.pathAt(height, child, g.depth);
        vm.prank(g.challenger);
        court.ask(id, s, child, node, path, record);
    }

    function _children(Game memory g) internal pure returns (bytes32[] memory shown) {
        bytes32[] memory nodes = TinyTrace.elements(g.position, T);
        uint256 depth = g.position.height < 4 ? g.position.height : 4;
        uint256 height = g.position.height - depth;
        uint256 first = uint256(g.position.index) << depth;
        uint256 count = ReferenceTree.countAt(nodes.length, height);
        uint256 end = first + (1 << depth) < count ? first + (1 << depth) : count;
        shown = new bytes32[](end - first);
        for (uint256 i = 0; i < shown.length; ++i) {
            shown[i] = nodes.nodeAt(height, first + i);
        }
    }

    /// @dev What the payee owes: nodes, or the leaf.
    function _reveal(bytes32 id) internal {
        Game memory g = court.gameOf(id);
        if (g.position.list == List.Leaves && g.position.height == 0) {
            court.revealLeaf(id, TinyTrace.leafAt(g.position, g.position.index, T));
        } else {
            court.reveal(id, _children(g));
        }
    }

    /// @dev Whoever has the turn moves, once. The challenger asks for the first child.
    function _move(bytes32 id, Statement memory s) internal {
        Game memory g = court.gameOf(id);
        if (g.turn == Turn.Payee) _reveal(id);
        else _ask(id, s, g.position.index << g.depth);
    }

    function _refute(address sender, bytes32 id, Statement memory s) internal {
        Target memory target;
        vm.prank(sender);
        court.refute(id, s, target, new Record[](0), "", new Opening[](0));
    }

    function _timeout(bytes32 id) internal returns (uint256) {
        return court.timeout(_one(id));
    }

    function _one(bytes32 id) internal pure returns (bytes32[] memory ids) {
        ids = new bytes32[](1);
        ids[0] = id;
    }

    /* WHAT IS SO */

    function _requireTurn(bytes32 id, Turn turn, uint256 deadline, string memory what) internal view {
        Game memory g = court.gameOf(id);
        vm.assertEq(uint256(g.turn), uint256(turn), string.concat(what, ": turn"));
        vm.assertEq(g.deadline, deadline, string.concat(what, ": deadline"));
    }

    function _disputeOf(Answer memory a) internal view returns (Dispute memory) {
        return court.disputeOf(_digestOf(a));
    }
}
