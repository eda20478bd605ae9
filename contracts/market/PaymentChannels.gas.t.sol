// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketTest} from "../mocks/MarketTest.t.sol";
import {Row, Status} from "./IPaymentChannels.sol";
import {Answer, Channel} from "./TypedData.sol";

/// @notice Gas of every call that moves money, as whole transactions (21,000 and calldata included), kept in
///         snapshots/PaymentChannels.json. The channel, the payee and the model are in use already unless the name says so.
contract PaymentChannelsGasTest is MarketTest {
    string private constant GROUP = "PaymentChannels";

    function setUp() public override {
        super.setUp();
        // all balances that are touched below exist, as in a market that has run for a while
        token.mint(address(channels), 1);
        token.mint(author, 1);
        _deposit(_salted(0), 1_000 * TUSD / 100);
        _redeem(_salted(0), TUSD, TUSD);
        vm.prank(payee);
        channels.stake(10 * TUSD);
    }

    /// hardhat-config: isolate = true
    function test_gas_deposit() public {
        vm.prank(payer);
        channels.deposit(_salted(1), TUSD);
        vm.snapshotGasLastCall(GROUP, "deposit: open");
        vm.prank(payer);
        channels.deposit(_salted(1), TUSD);
        vm.snapshotGasLastCall(GROUP, "deposit: top up");
    }

    /// hardhat-config: isolate = true
    function test_gas_depositWithAuthorization() public {
        bytes memory first = _authorization(_salted(1), TUSD, "1");
        bytes memory second = _authorization(_salted(1), TUSD, "2");
        channels.depositWithAuthorization(_salted(1), TUSD, 0, type(uint256).max, "1", first);
        vm.snapshotGasLastCall(GROUP, "depositWithAuthorization: open");
        channels.depositWithAuthorization(_salted(1), TUSD, 0, type(uint256).max, "2", second);
        vm.snapshotGasLastCall(GROUP, "depositWithAuthorization: top up");
    }

    /// hardhat-config: isolate = true
    function test_gas_multicall() public {
        bytes[] memory calls = new bytes[](10);
        for (uint256 i = 0; i < 10; ++i) {
            calls[i] = abi.encodeCall(channels.deposit, (_salted(i + 1), TUSD));
        }
        vm.prank(payer);
        channels.multicall(calls);
        vm.snapshotGasLastCall(GROUP, "multicall: open 10");
    }

    /// hardhat-config: isolate = true
    function test_gas_redeem1() public {
        _measureRedeem(1, "redeem: 1");
    }

    /// hardhat-config: isolate = true
    function test_gas_redeem10() public {
        _measureRedeem(10, "redeem: 10");
    }

    /// hardhat-config: isolate = true
    function test_gas_redeem50() public {
        _measureRedeem(50, "redeem: 50");
    }

    /// hardhat-config: isolate = true
    function test_gas_exit() public {
        vm.prank(payer);
        channels.startExit(_salted(0), TUSD);
        vm.snapshotGasLastCall(GROUP, "startExit");
        vm.warp(block.timestamp + NOTICE);
        channels.finishExit(_salted(0));
        vm.snapshotGasLastCall(GROUP, "finishExit");
    }

    /// hardhat-config: isolate = true
    function test_gas_collect() public {
        vm.warp(block.timestamp + 2 * HOLD);
        channels.collect(payee);
        vm.snapshotGasLastCall(GROUP, "collect");
    }

    /// hardhat-config: isolate = true
    function test_gas_proveOvercharge() public {
        Channel memory c = _salted(0);
        Answer memory a = _anAnswer(c, TUSD, 3 * TUSD / 4);
        (bytes32 r, bytes32 vs) = _signAnswer(PAYEE_KEY, a);
        channels.proveOvercharge(c, a, r, vs);
        vm.snapshotGasLastCall(GROUP, "proveOvercharge");
    }

    /// hardhat-config: isolate = true
    function test_gas_modelIncome() public {
        channels.takeModelIncome(model);
        vm.snapshotGasLastCall(GROUP, "takeModelIncome: no parents");
        vm.prank(author);
        channels.withdraw();
        vm.snapshotGasLastCall(GROUP, "withdraw");
    }

    /// hardhat-config: isolate = true
    function test_gas_pay() public {
        vm.prank(payer);
        channels.pay(payee, model, TUSD);
        vm.snapshotGasLastCall(GROUP, "pay");
    }

    /// hardhat-config: isolate = true
    function test_gas_stake() public {
        vm.prank(payee);
        channels.stake(TUSD);
        vm.snapshotGasLastCall(GROUP, "stake: more");
        vm.prank(payee);
        channels.startUnbond(TUSD);
        vm.snapshotGasLastCall(GROUP, "startUnbond");
        vm.warp(block.timestamp + HOLD + 1);
        vm.prank(payee);
        channels.finishUnbond();
        vm.snapshotGasLastCall(GROUP, "finishUnbond");
    }

    /// hardhat-config: isolate = true
    function test_gas_setOperator() public {
        vm.prank(payee);
        channels.setOperator(stranger, true);
        vm.snapshotGasLastCall(GROUP, "setOperator: new");
        vm.prank(payee);
        channels.setOperator(stranger, false);
        vm.snapshotGasLastCall(GROUP, "setOperator: withdraw");
    }

    /// @dev Channels that have been redeemed from before, as most rows of most batches are.
    function _measureRedeem(uint256 count, string memory name) private {
        Row[] memory before = new Row[](count);
        Row[] memory rows = new Row[](count);
        for (uint256 i = 0; i < count; ++i) {
            Channel memory c = _salted(100 + i);
            _deposit(c, 2 * TUSD);
            before[i] = _aRow(c, TUSD / 2, TUSD / 4);
            rows[i] = _aRow(c, TUSD + TUSD / 2, TUSD);
        }
        vm.prank(payee);
        channels.redeem(payee, model, before);
        vm.prank(payee);
        (Status[] memory statuses,) = channels.redeem(payee, model, rows);
        uint256 gasUsed = vm.snapshotGasLastCall(GROUP, name);
        if (count > 1) vm.snapshotValue(GROUP, string.concat(name, ", each"), gasUsed / count);
        for (uint256 i = 0; i < count; ++i) {
            vm.assertEq(uint256(statuses[i]), uint256(Status.Redeemed), "status");
        }
    }

    function _salted(uint256 salt) private view returns (Channel memory c) {
        c = _aChannel();
        c.salt = keccak256(abi.encode(salt));
    }
}
