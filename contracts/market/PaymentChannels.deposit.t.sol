// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContractWallet} from "../mocks/ContractWallet.t.sol";
import {ReenteringToken, SilentToken} from "../mocks/HostileTokens.t.sol";
import {MarketTest} from "../mocks/MarketTest.t.sol";
import {IAccounts} from "./IAccounts.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {PaymentChannels} from "./PaymentChannels.sol";
import {Channel} from "./TypedData.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract PaymentChannelsDepositTest is MarketTest {
    function test_deposit_opensOnceAndAddsUp() public {
        Channel memory c = _aChannel();
        bytes32 id = channels.channelIdOf(c);

        vm.expectEmit(address(channels));
        emit IPaymentChannels.Opened(id, payer, payee, model, signer, bytes32(0));
        vm.expectEmit(address(channels));
        emit IPaymentChannels.Deposited(id, 5, 5);
        _deposit(c, 5);
        vm.recordLogs();
        _deposit(c, 7);

        vm.assertEq(vm.getRecordedLogs().length, 2, "Deposited and Transfer only");
        vm.assertEq(channels.balanceOf(id).deposit, 12, "deposit");
        vm.assertEq(token.balanceOf(address(channels)), 12, "tokens");
    }

    function test_deposit_takesFromTheCallerForAnybodysChannel() public {
        _fund(stranger, 9);
        vm.prank(stranger);
        bytes32 id = channels.deposit(_aChannel(), 9);
        vm.assertEq(channels.balanceOf(id).deposit, 9, "deposit");
        vm.assertEq(token.balanceOf(stranger), 0, "the stranger's tokens");
    }

    function test_deposit_refusesTermsWithAZeroAddress() public {
        for (uint256 i = 0; i < 3; ++i) {
            Channel memory c = _aChannel();
            if (i == 0) c.payer = address(0);
            if (i == 1) c.signer = address(0);
            if (i == 2) c.payee = address(0);
            vm.prank(payer);
            vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.BadTerms.selector));
            channels.deposit(c, 1);
        }
    }

    function test_deposit_refusesAnUnknownModel() public {
        Channel memory c = _aChannel();
        c.model = 42;
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.UnknownModel.selector, 42));
        channels.deposit(c, 1);
    }

    function test_deposit_refusesNothing() public {
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.ZeroAmount.selector));
        channels.deposit(_aChannel(), 0);
    }

    function test_deposit_refusesWhatDoesNotFitTheSlot() public {
        uint96 most = type(uint88).max;
        token.mint(payer, 1 << 90);
        _deposit(_aChannel(), most);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.AmountTooLarge.selector, 1));
        channels.deposit(_aChannel(), 1);
    }

    function testFuzz_channelId_dependsOnEveryTerm(Channel memory c, uint8 which) public view {
        Channel memory other = Channel(c.payer, c.signer, c.payee, c.model, c.salt);
        if (which % 5 == 0) other.payer = address(uint160(c.payer) ^ 1);
        if (which % 5 == 1) other.signer = address(uint160(c.signer) ^ 1);
        if (which % 5 == 2) other.payee = address(uint160(c.payee) ^ 1);
        if (which % 5 == 3) other.model = c.model ^ 1;
        if (which % 5 == 4) other.salt = c.salt ^ bytes32(uint256(1));
        vm.assertTrue(channels.channelIdOf(c) != channels.channelIdOf(other), "two channels with one id");
    }

    function test_multicall_opensTenChannels() public {
        bytes[] memory calls = new bytes[](10);
        for (uint256 i = 0; i < 10; ++i) {
            Channel memory c = _aChannel();
            c.salt = bytes32(i);
            calls[i] = abi.encodeCall(channels.deposit, (c, 3));
        }
        vm.prank(payer);
        bytes[] memory ids = channels.multicall(calls);
        for (uint256 i = 0; i < 10; ++i) {
            vm.assertEq(channels.balanceOf(abi.decode(ids[i], (bytes32))).deposit, 3, "deposit");
        }
    }

    function test_depositWithAuthorization_paysFromThePayerWhoeverBringsIt() public {
        Channel memory c = _aChannel();
        bytes memory signature = _authorization(c, 11, "first");
        vm.prank(stranger);
        bytes32 id = channels.depositWithAuthorization(c, 11, 0, type(uint256).max, "first", signature);
        vm.assertEq(channels.balanceOf(id).deposit, 11, "deposit");
        vm.assertEq(token.balanceOf(payer), 1_000 * TUSD - 11, "the payer's tokens");
    }

    function test_depositWithAuthorization_refusesARedirectedAuthorization() public {
        bytes memory signature = _authorization(_aChannel(), 11, "first");
        Channel memory thief = _aChannel();
        thief.payee = stranger;
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        channels.depositWithAuthorization(thief, 11, 0, type(uint256).max, "first", signature);
    }

    function test_depositWithAuthorization_refusesASecondUse() public {
        Channel memory c = _aChannel();
        bytes memory signature = _authorization(c, 11, "first");
        bytes32 id = channels.depositWithAuthorization(c, 11, 0, type(uint256).max, "first", signature);
        bytes32 nonce = keccak256(abi.encode(id, bytes32("first")));
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, nonce));
        channels.depositWithAuthorization(c, 11, 0, type(uint256).max, "first", signature);
    }

    function test_depositWithAuthorization_takesAContractsSignature() public {
        Channel memory c = _aChannel();
        c.payer = address(new ContractWallet());
        token.mint(c.payer, 20);
        bytes32 id = channels.depositWithAuthorization(c, 20, 0, type(uint256).max, "first", "anything");
        vm.assertEq(channels.balanceOf(id).deposit, 20, "deposit");
    }

    function test_depositWithAuthorization_noticesATokenThatOnlySwallowsTheCall() public {
        IERC20 silent = IERC20(address(new SilentToken()));
        PaymentChannels fooled = new PaymentChannels(silent, models, referee, _terms());
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.NotPaid.selector, 0, 11));
        fooled.depositWithAuthorization(_aChannel(), 11, 0, type(uint256).max, "first", "");
    }

    function test_deposit_cannotBeReentered() public {
        Channel memory c = _aChannel();
        bytes[] memory nested = new bytes[](1);
        nested[0] = abi.encodeCall(channels.collect, (payee));
        bytes[10] memory calls = [
            abi.encodeCall(channels.deposit, (c, 1)),
            abi.encodeCall(channels.depositWithAuthorization, (c, 1, 0, 1, 0, "")),
            abi.encodeCall(channels.pay, (payee, 0, 1)),
            abi.encodeCall(channels.finishExit, (c)),
            abi.encodeCall(channels.stake, (1)),
            abi.encodeCall(channels.finishUnbond, ()),
            abi.encodeCall(channels.collect, (payee)),
            abi.encodeCall(channels.withdraw, ()),
            abi.encodeCall(channels.proveOvercharge, (c, _anAnswer(c, 1, 0), 0, 0)),
            abi.encodeCall(channels.multicall, (nested))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            ReenteringToken reentering = new ReenteringToken();
            PaymentChannels target = new PaymentChannels(reentering, models, referee, _terms());
            reentering.mint(payer, 10);
            vm.startPrank(payer);
            reentering.approve(address(target), 10);
            reentering.reenter(address(target), calls[i]);
            target.deposit(c, 10);
            vm.stopPrank();
            vm.assertEq(
                bytes32(reentering.failure()),
                bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
                "the callback's failure"
            );
        }
    }
}
