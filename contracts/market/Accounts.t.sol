// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../court/ICourt.sol";
import {IReferee} from "../court/IReferee.sol";
import {MarketTest} from "../mocks/MarketTest.t.sol";
import {IAccounts, Stake, Terms} from "./IAccounts.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {PaymentChannels} from "./PaymentChannels.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

contract AccountsTest is MarketTest {
    function test_constructor_keepsItsParameters() public view {
        vm.assertEq(address(channels.token()), address(token), "token");
        vm.assertEq(address(channels.models()), address(models), "models");
        vm.assertEq(channels.WINDOW(), WINDOW, "WINDOW");
        vm.assertEq(channels.CLOCKS(), CLOCKS, "CLOCKS");
        vm.assertEq(channels.HOLD(), HOLD, "HOLD");
        vm.assertEq(channels.NOTICE(), NOTICE, "NOTICE");
        vm.assertEq(channels.PENALTY(), 10 * TUSD, "PENALTY");
    }

    function test_constructor_refusesTimesThatDoNotFit() public {
        Terms memory terms = _terms();
        terms.noticeSeconds = 3650 days + 1;
        _refused(terms, abi.encodeWithSelector(IAccounts.BadDurations.selector, WINDOW, CLOCKS, 3650 days + 1));
        terms = _terms();
        terms.windowSeconds = 3650 days + 1;
        _refused(terms, abi.encodeWithSelector(IAccounts.BadDurations.selector, 3650 days + 1, CLOCKS, NOTICE));
        terms = _terms();
        terms.challengerClockSeconds = 3650 days;
        uint256 clocks = PAYEE_CLOCK + 3650 days;
        _refused(terms, abi.encodeWithSelector(IAccounts.BadDurations.selector, WINDOW, clocks, NOTICE));
        terms.payeeClockSeconds = type(uint256).max;
        _refused(terms, abi.encodeWithSelector(IAccounts.BadDurations.selector, WINDOW, type(uint256).max, NOTICE));
    }

    function test_constructor_refusesNobodys() public {
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ZeroAddress.selector));
        new PaymentChannels(IERC20(address(0)), models, referee, _terms());
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ZeroAddress.selector));
        new PaymentChannels(token, IModelRegistry(address(0)), referee, _terms());
        vm.expectRevert(abi.encodeWithSelector(ICourt.ZeroAddress.selector));
        new PaymentChannels(token, models, IReferee(address(0)), _terms());
    }

    function _refused(Terms memory terms, bytes memory reason) private {
        vm.expectRevert(reason);
        new PaymentChannels(token, models, referee, terms);
    }

    function test_stake_addsUp() public {
        _stake(100);
        vm.expectEmit(address(channels));
        emit IAccounts.Staked(payee, 50, 150);
        _stake(50);
        vm.assertEq(channels.stakeOf(payee).amount, 150, "stake");
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ZeroAmount.selector));
        channels.stake(0);
    }

    function test_finishUnbond_waitsForTheHold() public {
        _stake(100);
        uint256 releasedAt = block.timestamp + HOLD + 1;
        vm.expectEmit(address(channels));
        emit IAccounts.UnbondStarted(payee, 40, releasedAt);
        _startUnbond(40);
        vm.warp(releasedAt - 1);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.TooEarly.selector, releasedAt));
        channels.finishUnbond();

        vm.warp(releasedAt);
        vm.expectEmit(address(channels));
        emit IAccounts.Unbonded(payee, 40, 60);
        vm.prank(payee);
        channels.finishUnbond();
        Stake memory left = channels.stakeOf(payee);
        vm.assertEq(left.amount, 60, "stake");
        vm.assertEq(left.unbonding, 0, "unbonding");
        vm.assertEq(token.balanceOf(payee), 1_000 * TUSD - 60, "tokens");
    }

    function test_startUnbond_restartsTheWaitForTheWhole() public {
        _stake(100);
        _startUnbond(40);
        vm.warp(block.timestamp + HOLD + 1);
        _startUnbond(70);
        uint256 releasedAt = block.timestamp + HOLD + 1;
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.TooEarly.selector, releasedAt));
        channels.finishUnbond();
        vm.warp(releasedAt);
        vm.prank(payee);
        vm.assertEq(channels.finishUnbond(), 70, "released");
    }

    function test_startUnbond_refusesMoreThanTheStake() public {
        _stake(100);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.StakeTooLow.selector, 100, 101));
        channels.startUnbond(101);
    }

    function test_finishUnbond_refusesWhenNothingIsUnbonding() public {
        _stake(100);
        _startUnbond(40);
        _startUnbond(0);
        vm.warp(block.timestamp + HOLD + 1);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NothingUnbonding.selector, payee));
        channels.finishUnbond();
    }

    function test_withdraw_isNothingWithoutCredit() public {
        vm.prank(stranger);
        vm.assertEq(channels.withdraw(), 0, "withdrawn");
    }

    function test_answerableUntil_isForeverForThePayeeAndItsOperators() public view {
        vm.assertEq(channels.answerableUntil(payee, payee), FOREVER, "payee");
        vm.assertEq(channels.answerableUntil(payee, operator), FOREVER, "operator");
        vm.assertEq(channels.answerableUntil(payee, stranger), 0, "stranger");
        vm.assertEq(channels.answerableUntil(operator, payee), 0, "the other way round");
    }

    function test_setOperator_aWithdrawnKeyAnswersForOneHold() public {
        uint40 until = uint40(block.timestamp + HOLD);
        vm.expectEmit(address(channels));
        emit IAccounts.OperatorSet(payee, operator, until);
        _setOperator(operator, false);
        vm.assertEq(channels.answerableUntil(payee, operator), until, "until");

        vm.warp(block.timestamp + 1 days);
        _setOperator(operator, false);
        vm.assertEq(channels.answerableUntil(payee, operator), until, "a second withdrawal changes nothing");
        _setOperator(operator, true);
        vm.assertEq(channels.answerableUntil(payee, operator), FOREVER, "allowed again");
    }

    function test_setOperator_withdrawingAStrangerChangesNothing() public {
        vm.recordLogs();
        _setOperator(stranger, false);
        vm.assertEq(channels.answerableUntil(payee, stranger), 0, "until");
        vm.assertEq(vm.getRecordedLogs().length, 0, "events");
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ZeroAddress.selector));
        channels.setOperator(address(0), true);
    }

    function _stake(uint96 amount) private {
        vm.prank(payee);
        channels.stake(amount);
    }

    function _startUnbond(uint96 amount) private {
        vm.prank(payee);
        channels.startUnbond(amount);
    }

    function _setOperator(address key, bool allowed) private {
        vm.prank(payee);
        channels.setOperator(key, allowed);
    }
}
