// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MarketHandler} from "../mocks/MarketHandler.t.sol";
import {Test} from "../mocks/Test.t.sol";

contract PaymentChannelsInvariantTest is Test {
    MarketHandler private _market;

    function setUp() public {
        _market = new MarketHandler();
        _market.setUp();
        _target(address(_market), _market.selectors());
    }

    /// @dev balance = deposits not redeemed + stakes + held + ready + credits + models' income + burnt
    function invariant_conserved() public view {
        vm.assertEq(_market.tokensHeld(), _market.owed() + _market.burnt(), "tokens held and tokens owed");
    }

    /// @dev No voucher pays twice, none pays more than was signed or deposited, and what unbonds is still there.
    function invariant_bounded() public view {
        _market.requireBounds();
    }

    function invariant_strangersGainNothing() public view {
        vm.assertEq(_market.tokensOf(_market.THIEF()), 0, "the thief's tokens");
        vm.assertEq(_market.tokensOf(address(_market)), 0, "the deployer's tokens");
    }
}
