// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {Calldata} from "./Calldata.sol";
import {Dot} from "./Dot.sol";

/// @notice Products in lanes against plain sums.
contract RefereeDotTest is Test {
    function testFuzz_i8i8_isThePlainSum(bytes32 seed, uint16 length, uint8 skipA, uint8 skipB) public view {
        uint256 n = _bound(length, 0, 400);
        (uint256 a, uint256 b) = (skipA % 40, skipB % 40);
        this.compare(_random(seed, a + n + 50), _random(~seed, b + n + 50), a, b, n, 1);
    }

    function testFuzz_i16i8_isThePlainSum(bytes32 seed, uint16 length, uint8 skipA, uint8 skipB) public view {
        uint256 n = _bound(length, 0, 400);
        (uint256 a, uint256 b) = (skipA % 40, skipB % 40);
        this.compare(_random(seed, a + 2 * n + 50), _random(~seed, b + n + 50), a, b, n, 2);
    }

    /// @dev Every length up to two words, nothing behind the last byte.
    function test_dot_everyShortLength() public view {
        for (uint256 n = 0; n <= 66; ++n) {
            this.compare(_random("a", n), _random("b", n), 0, 0, n, 1);
            this.compare(_random("a", 2 * n), _random("b", n), 0, 0, n, 2);
        }
    }

    /// @dev The greatest magnitudes, over more terms than the lanes of one block hold.
    function test_dot_extremesBeyondABlock() public view {
        uint256 n = 2048 * 32 + 33;
        bytes memory low = _repeat(hex"80", n);
        bytes memory high = _repeat(hex"7f", n);
        vm.assertEq(uint256(this.i8i8(low, low, n)), 16_384 * n, "-128 * -128");
        vm.assertEq(uint256(this.i8i8(high, high, n)), 16_129 * n, "127 * 127");
        vm.assertEq(uint256(-this.i8i8(low, high, n)), 16_256 * n, "-128 * 127");
        n = 1024 * 32 + 17;
        bytes memory low16 = _repeat(hex"0080", n);
        bytes memory high16 = _repeat(hex"ff7f", n);
        vm.assertEq(uint256(this.i16i8(low16, low, n)), 4_194_304 * n, "-2^15 * -128");
        vm.assertEq(uint256(this.i16i8(high16, high, n)), 4_161_409 * n, "32767 * 127");
        vm.assertEq(uint256(-this.i16i8(low16, high, n)), 4_161_536 * n, "-2^15 * 127");
        vm.assertEq(uint256(-this.i16i8(high16, low, n)), 4_194_176 * n, "32767 * -128");
    }

    function compare(
        bytes calldata a,
        bytes calldata b,
        uint256 skipA,
        uint256 skipB,
        uint256 n,
        uint256 width
    ) external pure {
        int256 plain = 0;
        for (uint256 i = 0; i < n; ++i) {
            int256 x = width == 1
                ? int256(int8(uint8(a[skipA + i])))
                : int16(uint16(uint8(a[skipA + 2 * i])) | (uint16(uint8(a[skipA + 2 * i + 1])) << 8));
            plain += x * int8(uint8(b[skipB + i]));
        }
        (uint256 atA, uint256 atB) = (Calldata.offsetOf(a) + skipA, Calldata.offsetOf(b) + skipB);
        int256 lanes = width == 1 ? Dot.i8i8(atA, atB, n) : Dot.i16i8(atA, atB, n);
        vm.assertEq(uint256(lanes), uint256(plain), "dot");
    }

    function i8i8(bytes calldata a, bytes calldata b, uint256 n) external pure returns (int256) {
        return Dot.i8i8(Calldata.offsetOf(a), Calldata.offsetOf(b), n);
    }

    function i16i8(bytes calldata a, bytes calldata b, uint256 n) external pure returns (int256) {
        return Dot.i16i8(Calldata.offsetOf(a), Calldata.offsetOf(b), n);
    }

    function _random(bytes32 seed, uint256 n) private pure returns (bytes memory data) {
        data = new bytes(n);
        for (uint256 i = 0; i < n; ++i) {
            if (i % 32 == 0) seed = keccak256(abi.encode(seed));
            // half of the bytes at the ends of their range
            uint8 x = uint8(seed[i % 32]);
            data[i] = bytes1(x & 3 == 0 ? 0x80 : x & 3 == 1 ? 0x7f : x);
        }
    }

    function _repeat(bytes memory unit, uint256 n) private pure returns (bytes memory data) {
        data = new bytes(unit.length * n);
        for (uint256 i = 0; i < data.length; ++i) {
            data[i] = unit[i % unit.length];
        }
    }
}
