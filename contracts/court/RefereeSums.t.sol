// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {Arithmetic} from "./Arithmetic.sol";
import {Calldata} from "./Calldata.sol";
import {Code, CodeLib} from "./Code.sol";
import {Evidence, EvidenceLib, Opened, Operand} from "./Evidence.sol";
import {Frame} from "./Frame.sol";
import {HeaderLib} from "./Header.sol";
import {Interpreter} from "./Interpreter.sol";
import {Vectors} from "./Vectors.sol";

/// @notice Random bodies: what is computed over vectors is the sum of what is computed term by term.
contract RefereeSumsTest is Test {
    // tensors i8[3 x 700], i16[2 x 40], i64[1 x 5]; then stages of every order, the last of them the body's own
    bytes private constant TENSORS = hex"0003000000bc020000" hex"010200000028000000" hex"030100000005000000";
    // order 0 i8[2 x t+1], 30 steps; order 1 i16[1 x 2], 700 steps; order 0 i32[1 x 1], 600 steps; loop i8[1 x 2],
    // i64[1 x t+1], 9 steps
    bytes32 private constant NO_CODE = 0;
    uint256 private constant OWN_STAGE = 3;

    function testFuzz_sum_isTheSumOfItsTerms(bytes32 seed, uint16 terms, uint8 pace) public view {
        // most sums are short, some reach into a second and a third chunk
        uint256 n = pace % 16 == 0 ? _bound(terms, 505, 1100) : _bound(terms, 1, 40);
        bytes memory code = _code(seed, n > 40 ? 12 : 40);
        uint256 t = uint256(seed) % 9;
        (int256 sum, int256 plain) = this.both(code, _records(), _data(seed), n, t, uint256(seed) % 5);
        vm.assertEq(uint256(sum), uint256(plain), "sum");
    }

    /// @dev `split` cuts every opening in two at that leaf, so that runs have to be put together.
    function both(
        bytes calldata code,
        bytes calldata records,
        bytes calldata data,
        uint256 terms,
        uint256 t,
        uint256 split
    ) external pure returns (int256 sum, int256 plain) {
        (bool malformed, Code memory parts) = CodeLib.check(code, 3, true);
        vm.assertTrue(!malformed, "a random body is well-formed");
        Frame memory f;
        f.evidence = _evidence(records, data, split);
        f.code = parts;
        (f.stage, f.fold, f.t, f.r, f.c, f.terms) = (OWN_STAGE, 1, t, terms % 3, terms % 5, terms);
        f.isSum = true;
        f.prepare();
        Interpreter.walk(f, parts.body, parts.finish);
        sum = Vectors.sum(f);

        f.isSum = false;
        for (uint256 k = 0; k < terms; ++k) {
            f.k = int256(k);
            plain = Arithmetic.wrap(plain + _term(f));
        }
    }

    function _term(Frame memory f) private pure returns (int256 value) {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        value = Interpreter.scalar(f, f.code.body, f.code.finish);
        assembly ("memory-safe") {
            mstore(0x40, free) // a term leaves nothing behind
        }
    }

    function _evidence(
        bytes calldata records,
        bytes calldata data,
        uint256 split
    ) private pure returns (Evidence memory evidence) {
        evidence.header = HeaderLib.decode(hex"0100010001000100040064000000");
        evidence.T = 9;
        evidence.records = new uint256[](7);
        uint256 from = Calldata.offsetOf(records);
        for (uint256 i = 0; i < 7; ++i) {
            uint256 length = i < 3 ? 9 : i == 6 ? 87 : 46;
            evidence.records[i] = (i << 128) | (length << 64) | from;
            from += length;
        }
        evidence.opened = new Opened[](2 * (6 + 18));
        uint256 n = 0;
        for (uint256 i = 0; i < 6; ++i) {
            Operand memory operand = i < 3 ? evidence.tensor(i) : evidence.foldOf(i - 3, 0);
            n = _open(evidence, operand, 0, data, split, n);
        }
        for (uint256 i = 0; i < 18; ++i) {
            n = _open(evidence, evidence.foldOf(3, i % 2), i / 2, data, split, n);
        }
    }

    /// @dev Tensors overlap in the data: each begins at a place of its own.
    function _open(
        Evidence memory evidence,
        Operand memory operand,
        uint256 t,
        bytes calldata data,
        uint256 split,
        uint256 n
    ) private pure returns (uint256) {
        uint256 size = operand.bytesAt(t, evidence.T);
        uint256 cut = 1024 * split < size ? 1024 * split : size;
        uint256 from = Calldata.offsetOf(data) + 13 * n;
        evidence.opened[n] = Opened(operand.key(t), 0, cut, from);
        evidence.opened[n + 1] = Opened(operand.key(t), cut, size, from + cut);
        return n + 2;
    }

    function _records() private pure returns (bytes memory) {
        return bytes.concat(
            TENSORS,
            bytes.concat(hex"001e000000" hex"000200000000000080", NO_CODE),
            bytes.concat(hex"01bc020000" hex"010100000002000000", NO_CODE),
            bytes.concat(hex"0058020000" hex"020100000001000000", NO_CODE),
            bytes.concat(hex"0209000000" hex"000100000002000000", NO_CODE, hex"030100000000000080", NO_CODE)
        );
    }

    function _data(bytes32 seed) private pure returns (bytes memory data) {
        data = new bytes(4096);
        for (uint256 i = 0; i < 4096; i += 32) {
            seed = keccak256(abi.encode(seed));
            assembly ("memory-safe") {
                mstore(add(add(data, 32), i), seed)
            }
        }
    }

    /* BODIES */

    /// @dev A body of about `length` operations with every operand there.
    function _code(bytes32 seed, uint256 length) private pure returns (bytes memory) {
        bytes memory body;
        uint256 depth = 0;
        for (uint256 i = 0; i < length; ++i) {
            seed = keccak256(abi.encode(seed));
            (bytes memory op, uint256 operands) = _operation(seed, depth);
            if (operands > depth || depth > 27) continue;
            depth = depth + 1 - operands;
            body = bytes.concat(body, op);
        }
        if (body.length == 0) body = hex"07";
        bytes2 bodyLength = bytes2(uint16(body.length << 8) | uint16(body.length >> 8));
        return bytes.concat(hex"0101000000", bodyLength, body);
    }

    function _operation(bytes32 seed, uint256 depth) private pure returns (bytes memory op, uint256 operands) {
        uint8 choice = uint8(seed[0]) % 16;
        if (depth < 2 || choice < 3) return (_leaf(seed), 0);
        if (choice < 5) return (bytes.concat(hex"0a", bytes1(uint8(uint8(seed[1]) % depth))), 0);
        if (choice < 9) return _load(seed);
        uint8 code = choice < 12 ? 0x10 + uint8(seed[1]) % 3 : 0x10 + uint8(seed[1]) % 18;
        operands = code == 0x13 || code == 0x1d || code == 0x21 ? 3 : code == 0x1f || code == 0x20 ? 1 : 2;
        return (bytes.concat(bytes1(code)), operands);
    }

    function _leaf(bytes32 seed) private pure returns (bytes memory) {
        uint8 choice = uint8(seed[1]) % 8;
        if (choice < 3) return hex"07";
        if (choice == 3) return bytes.concat(bytes1(0x04 + uint8(seed[2]) % 5));
        if (choice == 4) return bytes.concat(hex"03", bytes8(seed << 64));
        if (choice == 5) return hex"03ffffffffffffff7f";
        return bytes.concat(hex"01", bytes1(uint8(uint256(uint8(seed[2]) % 7) + (choice == 7 ? 253 : 0))));
    }

    /// @dev Half of the loads bring their own indices, one of them k + e.
    function _load(bytes32 seed) private pure returns (bytes memory, uint256) {
        uint8 which = uint8(seed[2]) % 9;
        bytes memory load;
        uint256 operands = 2;
        if (which < 3) {
            load = bytes.concat(hex"0b", bytes1(which), hex"00");
        } else if (which < 7) {
            load = bytes.concat(hex"0c", bytes1(which - 3 == 3 ? 2 : which - 3), hex"0000");
            operands = 3;
        } else {
            load = bytes.concat(which == 7 ? bytes1(0x0d) : bytes1(0x0e), bytes1(which == 7 ? 0 : uint8(seed[3]) % 2));
        }
        if (uint8(seed[4]) % 2 == 0) return (load, operands);
        uint256 along = uint8(seed[5]) % operands;
        bytes memory indices;
        for (uint256 i = 0; i < operands; ++i) {
            bytes1 e = bytes1(uint8(uint256(uint8(seed[6 + i])) >> (i == along ? 0 : 6)));
            indices = bytes.concat(indices, i == along ? bytes.concat(hex"0701", e, hex"10") : bytes.concat(hex"01", e));
        }
        return (bytes.concat(indices, load), 0);
    }
}
