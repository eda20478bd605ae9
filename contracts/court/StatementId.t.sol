// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {Statement} from "./IReferee.sol";
import {StatementId} from "./StatementId.sol";

contract StatementIdTest is Test {
    /// @dev The machine's first known answer.
    function test_idOf_theKnownAnswer() public view {
        Statement memory s = Statement({
            header: 0x0100010001000100020064000000,
            programRoot: 0x167ae459af962596fdb835b9349fc020817dce615a0a358934c09417605dc988,
            weightsRoot: 0xb0c0b33b8d8300953a3d59946c8bd37192a4dd80a2ea7c42504515642268bad1,
            requestRoot: 0x6d4c90b34015f7bf45e096b031cecc1bc7812531de8a7fc5504c729b5c72c219,
            T: 3,
            claimedRoot: 0x68b7534d1d72b0bca2c6936e02d43940b20753ca866741ad2d330d24b6b51371
        });
        bytes32 expected = 0x8b4b2be889c483dde6211604712a35f9b245590e215afdf318d42628930c9054;
        vm.assertEq(this.idOf(s), expected, "statementId");
    }

    /// @dev Little-endian, so that no length has another's id.
    function testFuzz_idOf_bindsTheLength(uint32 T) public view {
        Statement memory s;
        s.T = T;
        bytes4 length = bytes4(T << 24 | (T & 0xff00) << 8 | (T >> 8 & 0xff00) | T >> 24);
        bytes32 model = sha256(bytes.concat(hex"02", bytes14(0), bytes32(0), bytes32(0)));
        bytes32 job = sha256(bytes.concat(hex"03", model, bytes32(0)));
        vm.assertEq(this.idOf(s), sha256(bytes.concat(hex"04", job, length, bytes32(0))), "statementId");
    }

    function idOf(Statement calldata s) external pure returns (bytes32) {
        return StatementId.idOf(s);
    }
}
