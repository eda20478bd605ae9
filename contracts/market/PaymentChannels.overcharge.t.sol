// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketTest} from "../mocks/MarketTest.t.sol";
import {IAccounts, Stake} from "./IAccounts.sol";
import {IPaymentChannels, Status} from "./IPaymentChannels.sol";
import {Answer, Channel} from "./TypedData.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

contract PaymentChannelsOverchargeTest is MarketTest {
    Channel private _channel;
    bytes32 private _id;

    function setUp() public override {
        super.setUp();
        _channel = _aChannel();
        _id = _deposit(_channel, 10_000);
        _stake(5_000);
    }

    function test_proveOvercharge_paysTheExcessAndBurnsAsMuch() public {
        _redeem(_channel, 1_000, 1_000); // 950 held
        uint256 before = token.balanceOf(payer);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.Overcharged(_id, payee, 300, 300);
        vm.assertEq(_prove(_anAnswer(_channel, 1_000, 700)), 300, "paid");
        vm.assertEq(token.balanceOf(payer) - before, 300, "to the payer");
        (uint96 held,) = channels.incomeOf(payee);
        vm.assertEq(held, 350, "held");
        vm.assertEq(channels.stakeOf(payee).amount, 5_000, "stake");
    }

    function test_proveOvercharge_takesOlderHeldIncomeThenStake() public {
        _redeem(_channel, 1_000, 1_000);
        vm.warp(block.timestamp + HOLD);
        _redeem(_channel, 2_000, 2_000);
        (uint96 held,) = channels.incomeOf(payee);
        vm.assertEq(held, 1_900, "held");
        vm.assertEq(_prove(_anAnswer(_channel, 2_000, 800)), 1_200, "paid");
        (held,) = channels.incomeOf(payee);
        vm.assertEq(held, 0, "held");
        vm.assertEq(channels.stakeOf(payee).amount, 4_500, "stake");
    }

    function test_proveOvercharge_lowersWhatIsUnbonding() public {
        vm.prank(payee);
        channels.startUnbond(5_000);
        _redeem(_channel, 10_000, 10_000); // 9,500 held
        vm.expectEmit(address(channels));
        emit IAccounts.StakeTaken(payee, 2_500, 2_500, 2_500);
        _prove(_anAnswer(_channel, 10_000, 4_000));
        Stake memory left = channels.stakeOf(payee);
        vm.assertEq(left.amount, 2_500, "stake");
        vm.assertEq(left.unbonding, 2_500, "unbonding");
    }

    function test_proveOvercharge_neverPaysMoreThanItBurns() public {
        _redeem(_channel, 10_000, 10_000); // 9,500 held, 5,000 staked
        vm.assertEq(_prove(_anAnswer(_channel, 10_000, 0)), 7_250, "half of all there is");
        (uint96 held,) = channels.incomeOf(payee);
        vm.assertEq(held + channels.stakeOf(payee).amount, 0, "left");
    }

    function test_proveOvercharge_needsSomethingToTake() public {
        Channel memory c = _aPlainChannel();
        c.payee = author;
        _deposit(c, 1_000);
        _redeem(c, 1_000, 1_000);
        Answer memory a = _anAnswer(c, 1_000, 400);
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        vm.prank(author);
        channels.setOperator(payee, true);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.StakeTooLow.selector, 0, 1_200));
        channels.proveOvercharge(c, a, r, vs);
    }

    function test_proveOvercharge_worksOnceForEachRedemption() public {
        _redeem(_channel, 1_000, 1_000);
        _prove(_anAnswer(_channel, 1_000, 700));
        _refused(_anAnswer(_channel, 1_000, 600));
        _redeem(_channel, 1_200, 1_100);
        vm.assertEq(_prove(_anAnswer(_channel, 1_200, 1_050)), 50, "paid");
    }

    function test_proveOvercharge_needsExactlyTheCeilingLastRedeemedWith() public {
        _redeem(_channel, 1_000, 800);
        _refused(_anAnswer(_channel, 999, 700));
        _refused(_anAnswer(_channel, 1_001, 700));
        vm.assertEq(_prove(_anAnswer(_channel, 1_000, 700)), 100, "paid");
    }

    function test_proveOvercharge_refusesAnAnswerThatChargedAsMuch() public {
        _redeem(_channel, 1_000, 800);
        _refused(_anAnswer(_channel, 1_000, 800));
        _refused(_anAnswer(_channel, 1_000, 801));
    }

    function test_proveOvercharge_refusesAnotherChannelsAnswer() public {
        _redeem(_channel, 1_000, 800);
        Answer memory a = _anAnswer(_channel, 1_000, 700);
        a.channelId = "other";
        _refused(a);
        a = _anAnswer(_channel, 1_000, 700);
        a.payee = stranger;
        _refused(a);
    }

    function test_proveOvercharge_refusesAStrangersSignature() public {
        _redeem(_channel, 1_000, 800);
        Answer memory a = _anAnswer(_channel, 1_000, 700);
        (bytes32 r, bytes32 vs) = _signAnswer(SIGNER_KEY, a);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, signer));
        channels.proveOvercharge(_channel, a, r, vs);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
        channels.proveOvercharge(_channel, a, 0, 0);
    }

    function test_proveOvercharge_aWithdrawnOperatorStillAnswers() public {
        _redeem(_channel, 1_000, 800);
        vm.prank(payee);
        channels.setOperator(operator, false);
        uint64 last = uint64(block.timestamp + HOLD);
        Answer memory a = _anAnswer(_channel, 1_000, 700);
        a.until = last + 1;
        (bytes32 r, bytes32 vs) = _signAnswer(OPERATOR_KEY, a);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, operator));
        channels.proveOvercharge(_channel, a, r, vs);

        a.until = last;
        (r, vs) = _signAnswer(OPERATOR_KEY, a);
        vm.assertEq(channels.proveOvercharge(_channel, a, r, vs), 100, "paid");
    }

    /// @dev `answerableUntil` is 0 for a key that never was one, which no `until` may reach.
    function testFuzz_proveOvercharge_refusesAStrangersAnswerWhateverItsUntil(uint64 until) public {
        _redeem(_channel, 1_000, 800);
        Answer memory a = _anAnswer(_channel, 1_000, 700);
        uint64[3] memory untils = [0, 1, until];
        for (uint256 i = 0; i < 3; ++i) {
            a.until = untils[i];
            (bytes32 r, bytes32 vs) = _signAnswer(SIGNER_KEY, a);
            vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, signer));
            channels.proveOvercharge(_channel, a, r, vs);
        }
    }

    /// @dev Whoever finds an old key could date an Answer back for ever, against redemptions long after.
    function test_proveOvercharge_refusesAWithdrawnOperatorOnceAllItSignedIsOver() public {
        vm.prank(payee);
        channels.setOperator(operator, false);
        Answer memory a = _anAnswer(_channel, 1_000, 700);
        a.until = uint64(block.timestamp + HOLD);
        uint256 last = block.timestamp + HOLD + NOTICE;
        _redeem(_channel, 1_000, 800);
        (bytes32 r, bytes32 vs) = _signAnswer(OPERATOR_KEY, a);
        vm.warp(last + 1);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, operator));
        channels.proveOvercharge(_channel, a, r, vs);
        vm.warp(last);
        vm.assertEq(channels.proveOvercharge(_channel, a, r, vs), 100, "paid");
    }

    function test_proveOvercharge_anOperatorThatCameBackAnswersAnew() public {
        uint64 first = uint64(block.timestamp + HOLD);
        vm.prank(payee);
        channels.setOperator(operator, false);
        vm.warp(first + NOTICE + 1);
        vm.prank(payee);
        channels.setOperator(operator, true);
        vm.prank(payee);
        channels.setOperator(operator, false);
        _redeem(_channel, 1_000, 800);
        Answer memory a = _anAnswer(_channel, 1_000, 700);
        a.until = uint64(block.timestamp + HOLD) + 1;
        (bytes32 r, bytes32 vs) = _signAnswer(OPERATOR_KEY, a);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, operator));
        channels.proveOvercharge(_channel, a, r, vs);
        a.until -= 1;
        (r, vs) = _signAnswer(OPERATOR_KEY, a);
        vm.assertEq(channels.proveOvercharge(_channel, a, r, vs), 100, "paid");
    }

    /// @dev A voucher that paid less than its Answer charged, since the deposit was short, is no overcharge.
    function test_proveOvercharge_refusesARedemptionThatWasClipped() public {
        (Status status,) = _redeem(_channel, 20_000, 12_000);
        vm.assertEq(uint256(status), uint256(Status.Clipped), "status");
        _refused(_anAnswer(_channel, 20_000, 12_000));
        _deposit(_channel, 10_000);
        _redeem(_channel, 20_000, 12_000);
        _refused(_anAnswer(_channel, 20_000, 12_000));
        vm.assertEq(_prove(_anAnswer(_channel, 20_000, 11_999)), 1, "one unit too much");
    }

    /// @dev An honest payee signs one Answer for each ceiling and redeems no more than it says, in whatever order its
    ///      answers are made (parallel requests) and whichever of them it redeems.
    function testFuzz_proveOvercharge_neverWorksAgainstAnHonestPayee(uint16[6] memory costs, uint8 redeemed) public {
        Answer[6] memory answers;
        uint128 ceiling = 0;
        uint128 charged = 0;
        for (uint256 i = 0; i < 6; ++i) {
            ceiling += uint128(costs[i] % 1_000) + 1;
            charged += costs[i] % 1_000;
            answers[i] = _anAnswer(_channel, ceiling, charged);
            if (redeemed & (1 << i) != 0) _redeem(_channel, ceiling, charged);
        }
        for (uint256 i = 0; i < 6; ++i) {
            _refused(answers[i]);
        }
    }

    /// @dev A payer and a payee who are one and the same cannot get money past the hold for less than its double.
    function testFuzz_proveOvercharge_burnsAtLeastWhatItPays(uint96 staked, uint16 amount, uint16 charged) public {
        staked = uint96(_bound(staked, 1, 100 * TUSD));
        amount = uint16(_bound(amount, 10, 10_000));
        charged = uint16(_bound(charged, 0, amount - 1));
        _stake(staked);
        (Status status,) = _redeem(_channel, amount, amount);
        vm.assertEq(uint256(status), uint256(Status.Redeemed), "status");
        (uint96 held,) = channels.incomeOf(payee);
        uint256 before = uint256(held) + channels.stakeOf(payee).amount;
        uint256 paid = _prove(_anAnswer(_channel, amount, charged));
        (held,) = channels.incomeOf(payee);
        uint256 taken = before - held - channels.stakeOf(payee).amount;
        vm.assertEq(taken, 2 * paid, "taken");
        vm.assertLe(paid, amount - charged, "paid");
    }

    function _stake(uint96 amount) private {
        vm.prank(payee);
        channels.stake(amount);
    }

    function _prove(Answer memory a) private returns (uint256) {
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        vm.prank(stranger);
        return channels.proveOvercharge(_channel, a, r, vs);
    }

    function _refused(Answer memory a) private {
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotOvercharged.selector));
        channels.proveOvercharge(_channel, a, r, vs);
    }
}
