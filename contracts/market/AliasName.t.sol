// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {AliasName} from "./AliasName.sol";

contract AliasNameTest is Test {
    function test_isValid_takesWhatTheRuleTakes() public pure {
        string[5] memory names = ["a0", "chat-small", "llama-3.1-8b.q8", "0x", "a.-"];
        for (uint256 i = 0; i < names.length; ++i) {
            vm.assertTrue(AliasName.isValid(names[i]), names[i]);
        }
        vm.assertTrue(AliasName.isValid(string(_repeated("a", 64))), "64 bytes");
    }

    function test_isValid_refusesTheRest() public pure {
        string[9] memory names = ["", "a", "Chat", "chat_small", ".chat", "-chat", "chat small", unicode"chät", "a/b"];
        for (uint256 i = 0; i < names.length; ++i) {
            vm.assertTrue(!AliasName.isValid(names[i]), names[i]);
        }
        vm.assertTrue(!AliasName.isValid(string(_repeated("a", 65))), "65 bytes");
    }

    /// @dev Every byte value, at the start and after it.
    function testFuzz_isValid_allowsABytesByItsPlace(uint8 char) public pure {
        bytes1 c = bytes1(char);
        bool letterOrDigit = (char >= 97 && char <= 122) || (char >= 48 && char <= 57);
        vm.assertTrue(AliasName.isValid(string(abi.encodePacked(c, "a"))) == letterOrDigit, "first");
        bool later = letterOrDigit || char == 46 || char == 45;
        vm.assertTrue(AliasName.isValid(string(abi.encodePacked("a", c))) == later, "second");
    }

    function _repeated(bytes1 char, uint256 times) private pure returns (bytes memory text) {
        text = new bytes(times);
        for (uint256 i = 0; i < times; ++i) {
            text[i] = char;
        }
    }
}
