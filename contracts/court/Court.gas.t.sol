// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Answer} from "../market/TypedData.sol";
import {CourtTest} from "../mocks/CourtTest.t.sol";
import {Statement} from "./IReferee.sol";
import {Position} from "./Position.sol";

/// @notice Gas of every move, as whole transactions (21,000 and calldata included), kept in snapshots/Court.json. Payee and
///         challengers are in use already. A refutation here is one that needs no evidence: what evidence costs is the
///         referee's.
contract CourtGasTest is CourtTest {
    string private constant GROUP = "Court";

    Statement private _s;
    Answer private _a;
    bytes32 private _before;

    function setUp() public override {
        super.setUp();
        _s = _lie();
        _a = _answerOf(_s);
        Answer memory before = _answerOf(_s);
        before.charged -= 1;
        _before = _challenge(alice, before, _s);
        _challenge(bob, before, _s);
        vm.warp(block.timestamp + 1 hours);
    }

    /// hardhat-config: isolate = true
    function test_gas_challenge() public {
        _challenge(alice, _a, _s);
        vm.snapshotGasLastCall(GROUP, "challenge: of an answer");
        _challenge(bob, _a, _s);
        vm.snapshotGasLastCall(GROUP, "challenge: one more of it");
        _post(_digestOf(_a));
        vm.snapshotGasLastCall(GROUP, "post");
    }

    /// hardhat-config: isolate = true
    function test_gas_game() public {
        bytes32 id = _challenge(alice, _a, _s);
        _post(_digestOf(_a));
        _ask(id, _s, 0);
        vm.snapshotGasLastCall(GROUP, "ask: the root");
        _reveal(id);
        _ask(id, _s, 1);
        vm.snapshotGasLastCall(GROUP, "ask: into a stage");
        _reveal(id);
        vm.snapshotGasLastCall(GROUP, "reveal: 16 nodes");
        _ask(id, _s, 0);
        vm.snapshotGasLastCall(GROUP, "ask: four levels down");
        _reveal(id);
        _ask(id, _s, 0);
        _reveal(id);
        vm.snapshotGasLastCall(GROUP, "revealLeaf: 1,024 bytes");
        Position memory p = court.gameOf(id).position;
        vm.assertEq(p.height, 0, "at a leaf");
    }

    /// hardhat-config: isolate = true
    function test_gas_ends() public {
        bytes32 lost = _challenge(alice, _a, _s);
        bytes32 won = _challenge(bob, _a, _s);
        _post(_digestOf(_a));
        _ask(won, _s, 0);
        vm.warp(block.timestamp + CHALLENGER_CLOCK + 1);
        _timeout(lost);
        vm.snapshotGasLastCall(GROUP, "timeout: one lost");
        _refute(bob, won, _s);
        vm.snapshotGasLastCall(GROUP, "refute: without evidence, nobody credited before");
        court.takeBond(won);
        vm.snapshotGasLastCall(GROUP, "takeBond");
        vm.prank(bob);
        court.withdraw();
        vm.snapshotGasLastCall(GROUP, "withdraw");
        channels.takeCompensation(_aChannel());
        vm.snapshotGasLastCall(GROUP, "takeCompensation");
    }

    /// hardhat-config: isolate = true
    function test_gas_silence() public {
        _refute(alice, _before, _s); // whoever is credited has been before
        bytes32 id = _challenge(alice, _a, _s);
        vm.warp(block.timestamp + PAYEE_CLOCK + SLOT_STEP + 1);
        _timeout(id);
        vm.snapshotGasLastCall(GROUP, "timeout: a silent payee");
    }

    /// @dev Straw challenges cannot save a lie: a conviction costs the same with a thousand of them as with one.
    /// hardhat-config: isolate = true
    function test_gas_aThousandStrawChallenges() public {
        Answer memory few = _answerOf(_s);
        few.charged -= 2;
        _convictionOf(few, 1); // whoever is credited has been before
        few.charged -= 1;
        uint256 withOne = _convictionOf(few, 1);
        uint256 withMany = _convictionOf(_a, 1_000);
        vm.assertLe(withMany > withOne ? withMany - withOne : withOne - withMany, 100, "but for zeros in calldata");
    }

    function _convictionOf(Answer memory a, uint256 straws) private returns (uint256) {
        _challenge(bob, a, _s);
        _straws(a, straws);
        _refute(carol, _challenge(carol, a, _s), _s);
        return vm.snapshotGasLastCall(GROUP, "refute: without evidence");
    }

    /// hardhat-config: isolate = true
    function test_gas_lostChallenges() public {
        bytes32[] memory straws = _straws(_a, 10);
        _post(_digestOf(_a));
        vm.warp(block.timestamp + CHALLENGER_CLOCK + 1);
        court.timeout(straws);
        vm.snapshotGasLastCall(GROUP, "timeout: 10 lost");
    }

    function _straws(Answer memory a, uint256 count) private returns (bytes32[] memory ids) {
        ids = new bytes32[](count);
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        for (uint256 i = 0; i < count; ++i) {
            address straw = address(uint160(uint256(keccak256(abi.encode("straw", i)))));
            _fundChallenger(straw);
            vm.prank(straw);
            ids[i] = court.challenge(a, r, vs, _s);
        }
    }
}
