// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "../mocks/Test.t.sol";
import {Opening, Record, Statement, Target} from "./IReferee.sol";
import {Referee} from "./Referee.sol";
import {NaiveTree} from "./RefereeKit.t.sol";

/// @notice What refutations cost inside the call, in trees as large as a real model's, against the machine's cost model.
/// @dev The last element of y[t, 0, c] = finish(sum over k of f(x[t, 0, k], w[c, k])), c < 1024, t < 512, among 300
///      constants and 577 stages. Most nodes of the trees are nobody's: a path costs the same whatever it leads past.
contract RefereeGasTest is Test {
    string private constant GROUP = "Referee";
    uint32 private constant T = 512;
    uint32 private constant ROWS = 1024;
    uint16 private constant CONSTANTS = 300;
    uint16 private constant STAGES = 577;
    uint16 private constant STAGE = 288; // of y; x is stage 0, w is constant 0, which is tensor 2

    // x[t, 0, k], then w[c, k]
    bytes private constant RUNS = hex"040100070c000000" hex"06070b0200";

    Referee private referee = new Referee();

    /// @dev What the challenger shows, and what it is shown of.
    struct Proof {
        Statement s;
        bytes32 traceRoot;
        Record[] records;
        bytes code;
        Opening[] openings;
    }

    function test_gas_products() public {
        _measure("i8 x i8, 576 terms", hex"00", hex"00", 576, hex"12", 20);
        _measure("i8 x i8, 1536 terms", hex"00", hex"00", 1536, hex"12", 20);
        _measure("i8 x i8, 4096 terms", hex"00", hex"00", 4096, hex"12", 20);
        _measure("i16 x i8, 1536 terms", hex"01", hex"00", 1536, hex"12", 90);
        _measure("i16 x i16, 1536 terms", hex"01", hex"01", 1536, hex"12", 800);
        _measure("i64 x i64, 1536 terms", hex"03", hex"03", 1536, hex"12", 800);
    }

    function test_gas_otherOperations() public {
        _measure("add, 2048 terms", hex"00", hex"00", 2048, hex"10", 800);
        _measure("xor, 2048 terms", hex"00", hex"00", 2048, hex"18", 1400);
        _measure("mulshr by a literal, 2048 terms", hex"00", hex"00", 2048, hex"010313", 1400);
        _measure("select, 2048 terms", hex"00", hex"00", 2048, hex"01001d", 1400);
        _measure("udiv, 2048 terms", hex"00", hex"00", 2048, hex"1e", 1400);
        _measure("isqrt, 2048 terms", hex"00", hex"00", 2048, hex"1f", 1150);
        _measure("bitlen, 2048 terms", hex"00", hex"00", 2048, hex"20", 1150);
        _measure("philox, 2048 terms", hex"00", hex"00", 2048, hex"010021", 3500);
        _measure("six operations, 2048 terms", hex"00", hex"00", 2048, hex"0a01120a00100a001210", 4300);
    }

    /// @dev Bodies as long as code may be: what is done once for an operation counts most where there are few terms.
    function test_gas_longBodies() public {
        bytes memory body = hex"12";
        for (uint256 i = 0; i < 330; ++i) {
            body = bytes.concat(body, hex"0a0012");
        }
        uint32[3] memory terms = [uint32(1), 16, 32];
        for (uint256 i = 0; i < 3; ++i) {
            string memory name = ["331 products, 1 term", "331 products, 16 terms", "331 products, 32 terms"][i];
            _measure(name, hex"00", hex"00", terms[i], body, 500 + 331 * 300, 330 * 1_000);
        }
    }

    /// @param perTerm What the model allows for a term: 250 for each run outside of a fast product, 300 for each add, sub
    ///                and mul, 3,000 for each philox, 900 for each other operation.
    function _measure(
        string memory name,
        bytes1 typeX,
        bytes1 typeW,
        uint32 terms,
        bytes memory operation,
        uint256 perTerm
    ) private {
        _measure(name, typeX, typeW, terms, operation, perTerm, 0);
    }

    function _measure(
        string memory name,
        bytes1 typeX,
        bytes1 typeW,
        uint32 terms,
        bytes memory operation,
        uint256 perTerm,
        uint256 once
    ) private {
        (uint256 gasUsed, uint256 evidenceBytes) = this.gasOf(typeX, typeW, terms, operation);
        vm.snapshotValue(GROUP, name, gasUsed);
        uint256 model = 500_000 + 40 * evidenceBytes + 2 * 60_000 + 8 * 1_000 + once + perTerm * terms;
        // the call is part of a transaction, which pays for its own bytes too
        vm.assertLe(gasUsed + 21_000 + 16 * evidenceBytes, model, name);
    }

    function gasOf(
        bytes1 typeX,
        bytes1 typeW,
        uint32 terms,
        bytes calldata operation
    ) external view returns (uint256 gasUsed, uint256 evidenceBytes) {
        Proof memory proof = _proof(typeX, typeW, terms, bytes.concat(RUNS, operation));
        Target memory target = Target(STAGE, 0, T - 1, 0, ROWS - 1, 0);
        bytes memory message = abi.encodeCall(
            referee.refute, (proof.s, proof.traceRoot, target, proof.records, proof.code, proof.openings)
        );
        evidenceBytes = message.length;
        address to = address(referee);
        bool ok;
        gasUsed = gasleft();
        assembly ("memory-safe") {
            ok := staticcall(gas(), to, add(message, 32), mload(message), 0, 0)
        }
        gasUsed -= gasleft();
        vm.assertTrue(ok, "random elements are false");
    }

    function _proof(
        bytes1 typeX,
        bytes1 typeW,
        uint32 terms,
        bytes memory body
    ) private pure returns (Proof memory proof) {
        proof.s.header = hex"010001000100" hex"2c01" hex"4102" hex"00020000";
        proof.s.T = T;
        proof.code =
            bytes.concat(hex"01", _u32(terms), bytes2(uint16(body.length << 8) | uint16(body.length >> 8)), body);

        uint256 widthX = 1 << uint8(typeX);
        uint256 widthW = 1 << uint8(typeW);
        bytes32[] memory stages = _nodes(STAGES);
        bytes32[] memory constants = _nodes(CONSTANTS);
        proof.openings = new Opening[](3);
        (proof.openings[0], stages[STAGE]) = _open(uint256(T) * ROWS * 4 - 4, 4, uint256(T) * ROWS * 4);
        (proof.openings[1], stages[0]) = _open((T - 1) * terms * widthX, terms * widthX, T * terms * widthX);
        (proof.openings[2], constants[0]) = _open((ROWS - 1) * terms * widthW, terms * widthW, ROWS * terms * widthW);
        (proof.openings[0].isFold, proof.openings[0].number) = (true, STAGE);
        proof.openings[1].isFold = true;
        proof.openings[2].number = 2;
        _extend(proof.openings[0], stages, STAGE);
        _extend(proof.openings[1], stages, 0);
        _extend(proof.openings[2], constants, 0);
        proof.traceRoot = NaiveTree.root(stages);
        proof.s.weightsRoot = NaiveTree.root(constants);
        _addRecords(proof, typeX, typeW, terms);
    }

    function _addRecords(Proof memory proof, bytes1 typeX, bytes1 typeW, uint32 terms) private pure {
        uint32 x = 2 + CONSTANTS;
        bytes[3] memory data = [
            bytes.concat(typeW, _u32(ROWS), _u32(terms)),
            bytes.concat(hex"0001000040", typeX, _u32(1), _u32(terms), bytes32(0)),
            bytes.concat(hex"0001000040" hex"02", _u32(1), _u32(ROWS), NaiveTree.leaf(proof.code))
        ];
        uint32[3] memory index = [2, x, x + STAGE];
        bytes32[] memory nodes = _nodes(x + STAGES);
        for (uint256 i = 0; i < 3; ++i) {
            nodes[index[i]] = NaiveTree.leaf(data[i]);
        }
        proof.s.programRoot = NaiveTree.root(nodes);
        proof.records = new Record[](3);
        for (uint256 i = 0; i < 3; ++i) {
            proof.records[i] = Record(index[i], data[i], NaiveTree.siblings(nodes, index[i], index[i]));
        }
    }

    /// @dev Leaves with `length` bytes from `from` on of a tensor of `size` random bytes, and its root.
    function _open(
        uint256 from,
        uint256 length,
        uint256 size
    ) private pure returns (Opening memory opening, bytes32 root) {
        uint256 first = from / 1024;
        uint256 last = (from + length - 1) / 1024;
        uint256 end = 1024 * (last + 1) < size ? 1024 * (last + 1) : size;
        opening.first = uint32(first);
        opening.data = _random(end - 1024 * first);
        bytes32[] memory nodes = _nodes((size + 1023) / 1024);
        bytes32[] memory leaves = NaiveTree.leaves(opening.data);
        for (uint256 i = 0; i < leaves.length; ++i) {
            nodes[first + i] = leaves[i];
        }
        opening.siblings = NaiveTree.siblings(nodes, first, last);
        root = NaiveTree.root(nodes);
    }

    function _extend(Opening memory opening, bytes32[] memory nodes, uint256 index) private pure {
        opening.siblings = NaiveTree.concat(opening.siblings, NaiveTree.siblings(nodes, index, index));
    }

    function _random(uint256 length) private pure returns (bytes memory data) {
        data = new bytes((length + 31) / 32 * 32);
        for (uint256 i = 32; i <= data.length; i += 32) {
            bytes32 word = keccak256(abi.encode(length, i));
            assembly ("memory-safe") {
                mstore(add(data, i), word)
            }
        }
        assembly ("memory-safe") {
            mstore(data, length)
        }
    }

    function _nodes(uint256 count) private pure returns (bytes32[] memory nodes) {
        nodes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            nodes[i] = bytes32(i + 1);
        }
    }

    function _u32(uint32 x) private pure returns (bytes4) {
        x = ((x >> 8) & 0x00ff00ff) | ((x & 0x00ff00ff) << 8);
        return bytes4((x >> 16) | (x << 16));
    }
}
