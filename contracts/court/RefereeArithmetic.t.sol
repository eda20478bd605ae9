// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {Arithmetic} from "./Arithmetic.sol";

/// @notice Operations at their boundaries: against digests of the reference's values, and against plain formulas.
contract RefereeArithmeticTest is Test {
    int256 private constant MIN = type(int64).min;
    int256 private constant MAX = type(int64).max;

    /// @dev SHA-256 of the values as eight bytes each, most significant first, for every a and b of 20 boundaries and c of 8:
    ///      what packages/machine/src/reference computes.
    function test_compute_equalsTheReferenceAtTheBoundaries() public view {
        for (uint256 op = 0x10; op <= 0x21; ++op) {
            vm.assertEq(this.digest(op), _digests()[op - 0x10], _name(op));
        }
    }

    function digest(uint256 op) external pure returns (bytes32) {
        int256[20] memory boundaries = [
            MIN,
            MIN + 1,
            -(2 ** 32),
            -(2 ** 31),
            -65,
            -64,
            -2,
            -1,
            0,
            1,
            2,
            3,
            62,
            63,
            64,
            2 ** 31,
            2 ** 32 - 1,
            2 ** 62,
            MAX - 1,
            MAX
        ];
        int256[8] memory thirds = [int256(-1), 0, 1, 31, 63, 64, MIN, MAX];
        bytes memory values = new bytes(20 * 20 * 8 * 8 + 24); // what is written at the end reaches beyond its eight bytes
        uint256 offset = 32;
        for (uint256 a = 0; a < 20; ++a) {
            for (uint256 b = 0; b < 20; ++b) {
                for (uint256 c = 0; c < 8; ++c) {
                    int256 value = Arithmetic.compute(op, boundaries[a], boundaries[b], thirds[c]);
                    vm.assertTrue(value >= MIN && value <= MAX, "stays in i64");
                    bytes32 word = bytes32(uint256(value) << 192);
                    assembly ("memory-safe") {
                        mstore(add(values, offset), word)
                    }
                    offset += 8;
                }
            }
        }
        assembly ("memory-safe") {
            mstore(values, sub(mload(values), 24))
        }
        return sha256(values);
    }

    function testFuzz_isqrt_isTheFloor(int64 a) public pure {
        uint256 x = uint64(a);
        uint256 root = uint256(Arithmetic.compute(0x1f, a, 0, 0));
        vm.assertTrue(root * root <= x && (root + 1) * (root + 1) > x, "floor");
    }

    /// @dev Around every square, where a root that is off by one would show.
    function testFuzz_isqrt_ofSquaresAndTheirNeighbours(uint32 root) public pure {
        uint256 square = uint256(root) * root;
        vm.assertEq(uint256(Arithmetic.compute(0x1f, int64(uint64(square)), 0, 0)), root, "a square");
        if (root == 0) return;
        vm.assertEq(uint256(Arithmetic.compute(0x1f, int64(uint64(square - 1)), 0, 0)), root - 1, "one less");
    }

    function testFuzz_bitlen_countsBits(int64 a) public pure {
        uint256 bits = 0;
        for (uint256 x = uint64(a); x > 0; x >>= 1) {
            ++bits;
        }
        vm.assertEq(uint256(Arithmetic.compute(0x20, a, 0, 0)), bits, "bits");
    }

    /// @dev floor((a b + 2^(s-1)) / 2^s) of a product that is exact.
    function testFuzz_mulshr_roundsHalfUp(int64 a, int64 b, uint8 count) public pure {
        uint256 s = _bound(count, 1, 63);
        int256 sum = int256(a) * b + int256(1 << (s - 1));
        int256 divisor = int256(1 << s);
        int256 quotient = sum / divisor;
        if (sum % divisor < 0) --quotient;
        vm.assertEq(uint256(Arithmetic.compute(0x13, a, b, int256(s))), uint256(int256(int64(quotient))), "mulshr");
    }

    function testFuzz_compute_staysInI64(uint8 code, int64 a, int64 b, int64 c) public pure {
        int256 value = Arithmetic.compute(_bound(code, 0x10, 0x21), a, b, c);
        vm.assertTrue(value >= MIN && value <= MAX, "stays in i64");
    }

    /// @dev The published vectors of counter and key 0, and of all bits set.
    function test_philox_publishedVectors() public pure {
        vm.assertEq(Arithmetic.philox(0, 0, 0), 0xe169c58d6627e8d5, "zeros");
        uint256 ones = type(uint64).max;
        vm.assertEq(Arithmetic.philox(ones, ones, ones), 0x41c83b0e408f276d, "ones");
    }

    function _name(uint256 op) private pure returns (string memory) {
        bytes memory digits = "0123456789abcdef";
        return string(bytes.concat("operation ", digits[op >> 4], digits[op & 15]));
    }

    function _digests() private pure returns (bytes32[18] memory digests) {
        digests[0] = hex"2bacf7630fbd12f8e25f59aaa3d9e9f1fcac4b710cdbb837f8f6064149b182a7"; // add
        digests[1] = hex"ab861c3f07cc3e044dde017efe9f0eae65d868cda50db561ba7eb73b1e25bfec"; // sub
        digests[2] = hex"6fa4b5a48033b0cac7ec0825ea49284b7867e8d75d29b3aa8bfa804f60f277e6"; // mul
        digests[3] = hex"b5b2e449f08ea7c9f2d8d3a7585d18ee04d8b71750e0a166b344278620de83d8"; // mulshr
        digests[4] = hex"27f3117e816e88ffd0a6093c407d8a166e20505533c672252825fdeda3e44cdb"; // shl
        digests[5] = hex"009872fd2e3d486af45d573c19405377c24515cd04606b9a7d62ba671a5fd1db"; // shr
        digests[6] = hex"e25386bf080a2918b438b5d523a30c3e1286088decebb50be857e5508ed29064"; // and
        digests[7] = hex"ec653efde36a2cef50783fec5e8d1569d742a51aab17fad3ce3ee48ed4983fb2"; // or
        digests[8] = hex"662f120a851b96177a4e8451f44410bc2a9f34e2e6c614d7954d94ec1fba4628"; // xor
        digests[9] = hex"57a8601a2be72560e8208eedf14c998e8708dff3ff8e0e2b354cd4b6e0d1b886"; // min
        digests[10] = hex"c6fc3831bc2cda5df9de276db729f5133adac1cf7bc9032e9b5ab86ed68c2d37"; // max
        digests[11] = hex"c65c23d2c8421b60199a0eebac3b15778b0ea1db327ed9b997c46ba4c82412f0"; // eq
        digests[12] = hex"42d7d3cfc92a62e59289575eb55318a7b1849e1fd0a14be08f4a635b6c4f0684"; // lt
        digests[13] = hex"531340446f23584665c28273b5ced6b022017c6928115ff3a825bf35bbc94fbb"; // select
        digests[14] = hex"89f23d3896117c884871b9d477aadaf6be60c34419febd0174f406a0e52d11a5"; // udiv
        digests[15] = hex"ab37bd004f0661dd8596c9421622079ac7f1049d468b25c4b709437bfdf39f2c"; // isqrt
        digests[16] = hex"0e014ff203ad6532b3a573db9393347d4bfaf52193483b24abf93b65b1bbe7d4"; // bitlen
        digests[17] = hex"e7be43d6eb48a8f0711fb6008707aca6a31ba0a548a0516dc574b53e2b19d38c"; // philox
    }
}
