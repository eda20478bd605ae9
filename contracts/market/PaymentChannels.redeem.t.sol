// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContractWallet} from "../mocks/ContractWallet.t.sol";
import {MarketTest} from "../mocks/MarketTest.t.sol";
import {IAccounts} from "./IAccounts.sol";
import {Balance, IPaymentChannels, Row, Status} from "./IPaymentChannels.sol";
import {Channel} from "./TypedData.sol";

contract PaymentChannelsRedeemTest is MarketTest {
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    Channel private _channel;
    bytes32 private _id;

    function setUp() public override {
        super.setUp();
        _channel = _aChannel();
        _id = _deposit(_channel, 1_000);
    }

    function test_redeem_paysOnlyTheDifference() public {
        _expect(500, 300, Status.Redeemed, 300);
        _expect(500, 450, Status.Redeemed, 150);
        Balance memory balance = channels.balanceOf(_id);
        vm.assertEq(balance.redeemed, 450, "redeemed");
        vm.assertEq(balance.slack, 50, "slack");
    }

    function test_redeem_isStaleForAnOlderOrRepeatedVoucher() public {
        _expect(500, 300, Status.Redeemed, 300);
        _expect(500, 300, Status.Stale, 0);
        _expect(200, 200, Status.Stale, 0);
        _expect(200, 0, Status.Stale, 0);
    }

    function test_redeem_isClippedToTheDeposit() public {
        _expect(5_000, 4_000, Status.Clipped, 1_000);
        _expect(5_000, 4_000, Status.Stale, 0);
        _deposit(_channel, 500);
        _expect(5_000, 4_000, Status.Clipped, 500);
    }

    function test_redeem_refusesMoreThanTheCeiling() public {
        _expect(500, 501, Status.OverCeiling, 0);
    }

    function test_redeem_refusesAnotherKeysSignature() public {
        _expectRow(_aRowSignedBy(PAYER_KEY, _channel, 500, 300), Status.BadSignature, 0);
    }

    function test_redeem_refusesTheSignatureOfAnotherCeiling() public {
        Row memory row = _aRow(_channel, 500, 300);
        row.maxClaimableAmount = 501;
        _expectRow(row, Status.BadSignature, 0);
    }

    function test_redeem_refusesASignatureThatRecoversToNobody() public {
        Row memory row = _aRow(_channel, 500, 300);
        (row.r, row.vs) = (0, 0);
        _expectRow(row, Status.BadSignature, 0);
    }

    function test_redeem_refusesTheUpperHalfOfTheOrder() public {
        // EIP-2098 has no room for an s above 2^255, but some below it are still above half the order
        Row memory row = _aRow(_channel, 500, 300);
        row.vs = bytes32((uint256(row.vs) & (1 << 255)) | (HALF_ORDER + 1));
        _expectRow(row, Status.BadSignature, 0);
    }

    function test_redeem_neverAsksAContractForItsSignature() public {
        Channel memory c = _channel;
        c.signer = address(new ContractWallet());
        _deposit(c, 1_000);
        (Status status,) = _redeem(c, 500, 300);
        vm.assertEq(uint256(status), uint256(Status.BadSignature), "a contract's word counted");
    }

    function test_redeem_paysNothingForAZeroSigner() public {
        Channel memory c = _channel;
        c.signer = address(0);
        Row memory row = _aRow(c, 500, 300);
        (row.r, row.vs) = (0, 0);
        (Status status, uint256 paid) = _redeemRow(c, row);
        vm.assertEq(paid, 0, "paid");
        vm.assertEq(uint256(status), uint256(Status.BadSignature), "status");
    }

    function test_redeem_refusesACeilingThatCannotBeStored() public {
        uint128 slack = type(uint80).max;
        _expect(300 + slack, 300, Status.SlackTooLarge, 0);
        _expect(300 + slack - 1, 300, Status.Redeemed, 300);
        vm.assertEq(channels.balanceOf(_id).slack, slack - 1, "slack");
    }

    function test_redeem_oneBadRowDoesNotStopTheOthers() public {
        Channel memory second = _channel;
        second.salt = "second";
        _deposit(second, 1_000);
        Row[] memory rows = new Row[](5);
        rows[0] = _aRow(_channel, 100, 101);
        rows[1] = _aRow(_channel, 100, 100);
        rows[2] = _aRowSignedBy(PAYER_KEY, second, 100, 100);
        rows[3] = _aRow(second, 2_000, 2_000);
        rows[4] = _aRow(second, 2_000, 2_000);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.Redeemed(_id, 0, 0, 100, Status.OverCeiling);
        vm.expectEmit(address(channels));
        emit IPaymentChannels.Redeemed(_id, 100, 100, 100, Status.Redeemed);
        vm.prank(operator);
        (Status[] memory statuses, uint256 total) = channels.redeem(payee, model, rows);
        Status[5] memory expected =
            [Status.OverCeiling, Status.Redeemed, Status.BadSignature, Status.Clipped, Status.Stale];
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertEq(uint256(statuses[i]), uint256(expected[i]), "status");
        }
        vm.assertEq(total, 1_100, "total");
    }

    function test_redeem_paysEachRowOfOneChannelWhatIsAboveTheRowsBefore() public {
        Row[] memory rows = new Row[](5);
        rows[0] = _aRow(_channel, 100, 100);
        rows[1] = _aRow(_channel, 100, 100);
        rows[2] = _aRow(_channel, 600, 350);
        rows[3] = _aRow(_channel, 400, 400);
        rows[4] = _aRow(_channel, type(uint128).max, type(uint128).max);
        vm.prank(payee);
        (Status[] memory statuses, uint256 total) = channels.redeem(payee, model, rows);
        Status[5] memory expected =
            [Status.Redeemed, Status.Stale, Status.Redeemed, Status.Redeemed, Status.SlackTooLarge];
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertEq(uint256(statuses[i]), uint256(expected[i]), "status");
        }
        vm.assertEq(total, 400, "total");
        vm.assertEq(channels.balanceOf(_id).slack, 0, "slack");
    }

    function test_redeem_ofTheLargestDepositFitsItsSlot() public {
        Channel memory c = _channel;
        c.salt = "large";
        _fund(payer, type(uint88).max);
        bytes32 id = _deposit(c, type(uint88).max);
        (, uint256 paid) = _redeem(c, uint128(type(uint88).max) + type(uint80).max - 1, type(uint128).max >> 1);
        vm.assertEq(paid, 0, "over the ceiling");
        uint128 ceiling = uint128(type(uint88).max) + type(uint80).max - 1;
        (, paid) = _redeem(c, ceiling, ceiling);
        vm.assertEq(paid, type(uint88).max, "clipped to the deposit");
        Balance memory balance = channels.balanceOf(id);
        vm.assertEq(balance.deposit, type(uint88).max, "deposit");
        vm.assertEq(balance.redeemed, type(uint88).max, "redeemed");
        vm.assertEq(balance.slack, type(uint80).max - 1, "slack");
    }

    function test_redeem_isForThePayeeAndItsOperatorOnly() public {
        Row[] memory rows = new Row[](1);
        rows[0] = _aRow(_channel, 500, 300);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, payer));
        channels.redeem(payee, model, rows);

        vm.prank(payee);
        channels.setOperator(operator, false);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotAllowed.selector, operator));
        channels.redeem(payee, model, rows);
    }

    function test_redeem_splitsRoyaltyFromHeldIncome() public {
        vm.expectEmit(address(channels));
        emit IPaymentChannels.Split(payee, model, 999, 49);
        _redeem(_channel, 999, 999);
        (uint96 held, uint96 ready) = channels.incomeOf(payee);
        vm.assertEq(channels.modelIncomeOf(model), 49, "royalty is rounded down");
        vm.assertEq(held, 950, "held");
        vm.assertEq(ready, 0, "ready");
    }

    function test_redeem_isReadyAtOnceWithoutAModel() public {
        Channel memory c = _aPlainChannel();
        _deposit(c, 1_000);
        _redeem(c, 700, 700);
        (uint96 held, uint96 ready) = channels.incomeOf(payee);
        vm.assertEq(held, 0, "held");
        vm.assertEq(ready, 700, "ready");
    }

    function test_redeem_paysNothingForAModelThatIsUnknown() public {
        Channel memory c = _channel;
        c.model = 42;
        (Status status, uint256 paid) = _redeem(c, 500, 300);
        vm.assertEq(uint256(status), uint256(Status.Stale), "status");
        vm.assertEq(paid, 0, "paid");
    }

    /// @dev In whatever order vouchers come, they pay min(highest amount that its ceiling covers, deposit).
    function testFuzz_redeem_paysTheHighestVoucherOnce(uint64[8] memory ceilings, uint64[8] memory amounts) public {
        uint256 highest = 0;
        uint256 total = 0;
        for (uint256 i = 0; i < 8; ++i) {
            (uint128 ceiling, uint128 amount) = (ceilings[i] % 2_000, amounts[i] % 2_000);
            (, uint256 paid) = _redeem(_channel, ceiling, amount);
            total += paid;
            if (amount <= ceiling && amount > highest) highest = amount;
        }
        uint256 owed = highest < 1_000 ? highest : 1_000;
        vm.assertEq(total, owed, "paid in all");
        vm.assertEq(channels.balanceOf(_id).redeemed, owed, "redeemed");
        (uint96 held,) = channels.incomeOf(payee);
        vm.assertEq(held + channels.modelIncomeOf(model), owed, "income and royalty");
    }

    /// @dev Random rows, most of them nonsense: the batch never reverts and only signed vouchers are paid.
    function testFuzz_redeem_isTotalOverRows(Row[] memory rows) public {
        vm.prank(payee);
        (Status[] memory statuses, uint256 total) = channels.redeem(payee, model, rows);
        vm.assertEq(statuses.length, rows.length, "statuses");
        vm.assertEq(total, 0, "a row without a signature was paid");
    }

    function _expect(uint128 ceiling, uint128 amount, Status status, uint256 pays) private {
        _expectRow(_aRow(_channel, ceiling, amount), status, pays);
    }

    function _expectRow(Row memory row, Status status, uint256 pays) private {
        (Status got, uint256 paid) = _redeemRow(_channel, row);
        vm.assertEq(uint256(got), uint256(status), "status");
        vm.assertEq(paid, pays, "paid");
    }
}
