// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestUSD} from "./TestUSD.sol";

/// @title ReenteringToken
/// @notice Calls back once, with what it was told, during the next transfer.
contract ReenteringToken is TestUSD {
    address private _target;
    bytes private _call;
    bytes public failure;

    function reenter(address target, bytes calldata data) external {
        (_target, _call) = (target, data);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0)) return;
        address target = _target;
        _target = address(0);
        (bool ok, bytes memory result) = target.call(_call);
        if (!ok) failure = result;
    }
}

/// @title SilentToken
/// @notice Takes any call, as wrapped ether does, and moves nothing.
contract SilentToken {
    fallback() external {}

    function balanceOf(address) external pure returns (uint256) {
        return 0;
    }
}
