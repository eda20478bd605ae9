// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketTest} from "../mocks/MarketTest.t.sol";
import {IAccounts} from "./IAccounts.sol";
import {Parent, Registration} from "./IModelRegistry.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";

contract PaymentChannelsIncomeTest is MarketTest {
    address private constant TUNER = address(0x7E4E4);

    function test_pay_isSplitAndHeldLikeARedemption() public {
        vm.expectEmit(address(channels));
        emit IPaymentChannels.Split(payee, model, 1_000, 50);
        _pay(model, 1_000);
        (uint96 held, uint96 ready) = channels.incomeOf(payee);
        vm.assertEq(held, 950, "held");
        vm.assertEq(ready, 0, "ready");
        vm.assertEq(channels.modelIncomeOf(model), 50, "royalty");
    }

    function test_pay_refusesAnUnknownModelNobodyAndNothing() public {
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.UnknownModel.selector, 42));
        channels.pay(payee, 42, 1);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.BadTerms.selector));
        channels.pay(address(0), model, 1);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ZeroAmount.selector));
        channels.pay(payee, model, 0);
    }

    function test_takeModelIncome_creditsParentsAndOwner() public {
        uint256 child = _registerChild(1, 2_500);
        _pay(child, 1_000); // royalty 50
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ModelIncomeTaken(child, TUNER, 38, 12);
        vm.assertEq(channels.takeModelIncome(child), 38, "to the owner");
        vm.assertEq(channels.creditOf(TUNER), 38, "credit");
        vm.assertEq(channels.modelIncomeOf(child), 0, "child's income");
        vm.assertEq(channels.modelIncomeOf(model), 12, "parent's income");

        channels.takeModelIncome(model);
        vm.prank(author);
        vm.assertEq(channels.withdraw(), 12, "withdrawn by the parent's owner");
        vm.assertEq(token.balanceOf(author), 12, "tokens");
    }

    function test_takeModelIncome_followsTheOwner() public {
        _pay(model, 1_000);
        vm.prank(author);
        models.transferFrom(author, stranger, model);
        channels.takeModelIncome(model);
        vm.assertEq(channels.creditOf(stranger), 50, "credit");
    }

    function test_takeModelIncome_isNothingForAnUnknownModel() public {
        vm.assertEq(channels.takeModelIncome(42), 0, "income");
    }

    function testFuzz_takeModelIncome_conserves(uint96 amount, uint16 first, uint16 second) public {
        first = uint16(_bound(first, 0, 10_000));
        second = uint16(_bound(second, 0, 10_000 - first));
        uint256 other = _register(author, _aRegistration(2));
        Registration memory r = _aRegistration(3);
        r.parents = new Parent[](2);
        (r.parents[0], r.parents[1]) = (Parent(model, first), Parent(other, second));
        uint256 child = _register(TUNER, r);
        amount = uint96(_bound(amount, 1, 1_000 * TUSD));
        _pay(child, amount);
        uint256 royalty = channels.modelIncomeOf(child);
        uint256 toOwner = channels.takeModelIncome(child);
        vm.assertEq(channels.modelIncomeOf(model), royalty * first / 10_000, "first parent");
        vm.assertEq(channels.modelIncomeOf(other), royalty * second / 10_000, "second parent");
        vm.assertEq(toOwner + channels.modelIncomeOf(model) + channels.modelIncomeOf(other), royalty, "sum");
    }

    function test_collect_waitsOneToTwoEpochs() public {
        vm.warp((block.timestamp / HOLD + 1) * HOLD); // an epoch begins
        uint256 start = block.timestamp;
        _pay(model, 1_000);
        vm.warp(start + 2 * HOLD - 1);
        vm.assertEq(channels.collect(payee), 0, "before the second epoch ends");
        vm.warp(start + 2 * HOLD);
        uint256 before = token.balanceOf(payee);
        vm.prank(stranger);
        vm.expectEmit(address(channels));
        emit IAccounts.Collected(payee, 950);
        channels.collect(payee);
        vm.assertEq(token.balanceOf(payee) - before, 950, "paid to the payee");
        vm.assertEq(channels.collect(payee), 0, "a second time");
    }

    function testFuzz_collect_neverPaysWithinTheHold(uint32 offset, uint32 wait) public {
        vm.warp(block.timestamp + offset);
        uint256 earnedAt = block.timestamp;
        _pay(model, 1_000);
        vm.warp(earnedAt + _bound(wait, 0, 3 * HOLD));
        uint256 paid = channels.collect(payee);
        if (block.timestamp < earnedAt + HOLD) vm.assertEq(paid, 0, "within the hold");
        if (block.timestamp >= earnedAt + 2 * HOLD) vm.assertEq(paid, 950, "after two epochs");
        (uint96 held,) = channels.incomeOf(payee);
        vm.assertEq(held + paid, 950, "held or paid");
    }

    function test_collect_keepsEpochsApart() public {
        vm.warp((block.timestamp / HOLD + 1) * HOLD);
        _pay(model, 1_000);
        vm.warp(block.timestamp + HOLD);
        _pay(model, 2_000);
        vm.warp(block.timestamp + HOLD);
        _pay(model, 4_000);
        (uint96 held, uint96 ready) = channels.incomeOf(payee);
        vm.assertEq(held, 1_900 + 3_800, "held");
        vm.assertEq(ready, 950, "ready");
        vm.assertEq(channels.collect(payee), 950, "collected");
    }

    function _registerChild(uint256 parents, uint16 shareBps) private returns (uint256) {
        Registration memory r = _aRegistration(7);
        r.parents = new Parent[](parents);
        r.parents[0] = Parent(model, shareBps);
        return _register(TUNER, r);
    }

    function _pay(uint256 asset, uint96 amount) private {
        vm.prank(payer);
        channels.pay(payee, asset, amount);
    }
}
