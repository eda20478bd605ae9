// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title AliasName
/// @notice The names that models can have: [a-z0-9][a-z0-9.-]{1,63}.
library AliasName {
    uint256 internal constant MIN_BYTES = 2;
    uint256 internal constant MAX_BYTES = 64;

    function isValid(string memory name) internal pure returns (bool) {
        bytes memory text = bytes(name);
        if (text.length < MIN_BYTES || text.length > MAX_BYTES || !_isLetterOrDigit(text[0])) return false;
        for (uint256 i = 1; i < text.length; ++i) {
            if (!_isLetterOrDigit(text[i]) && text[i] != "." && text[i] != "-") return false;
        }
        return true;
    }

    function _isLetterOrDigit(bytes1 char) private pure returns (bool) {
        return (char >= "a" && char <= "z") || (char >= "0" && char <= "9");
    }
}
