// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketTest} from "../mocks/MarketTest.t.sol";
import {IAccounts} from "./IAccounts.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {Channel} from "./TypedData.sol";

contract PaymentChannelsExitTest is MarketTest {
    Channel private _channel;
    bytes32 private _id;

    function setUp() public override {
        super.setUp();
        _channel = _aChannel();
        _id = _deposit(_channel, 1_000);
    }

    function test_startExit_isForThePayerOnly() public {
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, payee));
        channels.startExit(_channel, 10);
    }

    function test_finishExit_waitsForTheNoticeAndPaysThePayer() public {
        uint256 readyAt = block.timestamp + NOTICE;
        vm.expectEmit(address(channels));
        emit IPaymentChannels.ExitStarted(_id, 400, readyAt);
        _startExit(400);
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.TooEarly.selector, readyAt));
        channels.finishExit(_channel);

        vm.warp(readyAt);
        uint256 before = token.balanceOf(payer);
        vm.prank(stranger);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.Exited(_id, 400);
        channels.finishExit(_channel);
        vm.assertEq(token.balanceOf(payer) - before, 400, "paid");
        vm.assertEq(channels.balanceOf(_id).deposit, 600, "deposit");
    }

    function test_finishExit_paysOnce() public {
        _startExit(400);
        vm.warp(block.timestamp + NOTICE);
        channels.finishExit(_channel);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NothingToExit.selector));
        channels.finishExit(_channel);
    }

    function test_finishExit_leavesWhatWasRedeemedMeanwhile() public {
        _startExit(type(uint96).max);
        vm.assertEq(channels.exitOf(_id).amount, 1_000, "asked for all that is left");
        _redeem(_channel, 700, 700);
        vm.warp(block.timestamp + NOTICE);
        vm.assertEq(channels.finishExit(_channel), 300, "paid");
        vm.assertEq(channels.balanceOf(_id).deposit, 700, "deposit");
    }

    function test_startExit_restartsTheNotice() public {
        _startExit(400);
        vm.warp(block.timestamp + NOTICE);
        _startExit(100);
        uint256 readyAt = block.timestamp + NOTICE;
        vm.expectRevert(abi.encodeWithSelector(IAccounts.TooEarly.selector, readyAt));
        channels.finishExit(_channel);
        vm.assertEq(channels.exitOf(_id).amount, 100, "amount");
    }

    function test_startExit_ofZeroCancels() public {
        _startExit(400);
        _startExit(0);
        vm.warp(block.timestamp + NOTICE);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NothingToExit.selector));
        channels.finishExit(_channel);
    }

    function test_startExit_cannotBeMadeReadyForALaterDeposit() public {
        Channel memory empty = _aChannel();
        empty.salt = "empty";
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NothingToExit.selector));
        channels.startExit(empty, 1_000);

        _startExit(type(uint96).max);
        _deposit(_channel, 500);
        vm.warp(block.timestamp + NOTICE);
        vm.assertEq(channels.finishExit(_channel), 1_000, "more than there was when it was asked for");
    }

    function testFuzz_exit_neverTakesWhatIsRedeemed(uint88 deposit, uint96 asked, uint88 redeemed) public {
        Channel memory c = _aChannel();
        c.salt = "fuzz";
        deposit = uint88(_bound(deposit, 1, type(uint88).max));
        redeemed = uint88(_bound(redeemed, 0, deposit));
        token.mint(payer, deposit);
        bytes32 id = _deposit(c, deposit);
        vm.prank(payer);
        channels.startExit(c, asked);
        if (redeemed > 0) _redeem(c, redeemed, redeemed);
        vm.warp(block.timestamp + NOTICE);
        uint256 left = deposit - redeemed;
        if (asked > 0) vm.assertEq(channels.finishExit(c), asked < left ? asked : left, "paid");
        vm.assertLe(channels.balanceOf(id).redeemed, channels.balanceOf(id).deposit, "redeemed");
    }

    function _startExit(uint96 amount) private {
        vm.prank(payer);
        channels.startExit(_channel, amount);
    }
}
