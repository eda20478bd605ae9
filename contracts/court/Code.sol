// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Calldata} from "./Calldata.sol";
import {Records} from "./Records.sol";
import {Size} from "./Size.sol";

/// @notice Where the parts of a fold's code are in the calldata.
struct Code {
    uint256 combine;
    uint256 axis;
    uint256 body;
    uint256 finish; // where the body ends
    uint256 end;
    uint256[] loads; // offsets of the loads of both
}

/// @notice A load as an expression names it.
struct Load {
    uint256 op;
    uint256 number; // of a tensor or a stage; 0 for folds of the own stage
    uint256 fold;
}

/// @notice Byte code of a fold: u8 combine, u32 axis, u16 bodyLength, body, finish.
library CodeLib {
    uint256 internal constant NONE = 0;
    uint256 internal constant SUM = 1;
    uint256 internal constant ARGMAX = 2;

    uint256 internal constant LIT8 = 0x01;
    uint256 internal constant LIT32 = 0x02;
    uint256 internal constant LIT64 = 0x03;
    uint256 internal constant VAR_T = 0x04;
    uint256 internal constant VAR_R = 0x05;
    uint256 internal constant VAR_C = 0x06;
    uint256 internal constant VAR_K = 0x07;
    uint256 internal constant VAR_LENGTH = 0x08; // T
    uint256 internal constant VAR_ACC = 0x09;
    uint256 internal constant PICK = 0x0a;
    uint256 internal constant TENSOR = 0x0b;
    uint256 internal constant FOLD = 0x0c;
    uint256 internal constant NOW = 0x0d;
    uint256 internal constant PREV = 0x0e;

    uint256 internal constant MAX_STACK = 32;
    uint256 internal constant MAX_LOADS = 32;
    uint256 private constant HEADER_BYTES = 7;
    uint256 private constant MAX_BYTES = 1024;

    // one nibble for each operation, that of code 0 in the lowest bits; f is no operation
    uint256 private constant IMMEDIATES = 0xffffffffffffffffffffffffffffff000000000000000000f11321000000841f;
    uint256 private constant OPERANDS = 0xffffffffffffffffffffffffffffff311232222222223222f22320000000000f;
    uint256 private constant UNKNOWN = 15;

    /// @notice Whether a fold's code breaks a rule that needs its own bytes and record alone.
    /// @param code Proved to be the fold's.
    /// @return malformed Then the rest is undefined.
    function check(
        bytes calldata code,
        uint256 elementType,
        bool isLoop
    ) internal pure returns (bool malformed, Code memory parts) {
        if (code.length <= HEADER_BYTES || code.length > MAX_BYTES) return (true, parts);
        uint256 start = Calldata.offsetOf(code);
        parts.combine = Calldata.u8(start);
        parts.axis = Calldata.u32(start + 1);
        parts.body = start + HEADER_BYTES;
        parts.finish = parts.body + Calldata.u16(start + 5);
        parts.end = start + code.length;

        if (parts.combine > ARGMAX || parts.finish == parts.body || parts.finish > parts.end) return (true, parts);
        if (parts.combine == NONE ? parts.axis != 0 : !Size.isLegal(parts.axis, Size.ANY)) return (true, parts);
        if (parts.combine == ARGMAX && (elementType != Records.I32 || parts.finish != parts.end)) return (true, parts);

        // a slot more than is allowed, for the load that is too many
        uint256[] memory loads = new uint256[](MAX_LOADS + 1);
        Scan memory scan = Scan({loads: loads, count: 0, isLoop: isLoop, variable: VAR_K});
        malformed = _isMalformed(scan, parts.body, parts.finish);
        scan.variable = VAR_ACC;
        malformed = malformed || _isMalformed(scan, parts.finish, parts.end);
        uint256 count = scan.count;
        assembly ("memory-safe") {
            mstore(loads, count) // shortens the array
        }
        parts.loads = loads;
    }

    /// @notice What the load at a calldata offset names.
    function loadAt(uint256 offset) internal pure returns (Load memory load) {
        load.op = Calldata.u8(offset);
        if (load.op == TENSOR) {
            load.number = Calldata.u16(offset + 1);
        } else if (load.op == FOLD) {
            load.number = Calldata.u16(offset + 1);
            load.fold = Calldata.u8(offset + 3);
        } else {
            load.fold = Calldata.u8(offset + 1);
        }
    }

    /// @notice How many bytes follow a known operation, and how many entries it takes from the stack.
    function shapeOf(uint256 op) internal pure returns (uint256 immediates, uint256 operands) {
        return ((IMMEDIATES >> (4 * op)) & 15, (OPERANDS >> (4 * op)) & 15);
    }

    /// @dev What a scan of body and finish carries along. `variable` is the one of k and acc that is allowed.
    struct Scan {
        uint256[] loads;
        uint256 count;
        bool isLoop;
        uint256 variable;
    }

    /// @dev An empty expression is not malformed here: a finish may be empty.
    function _isMalformed(Scan memory scan, uint256 offset, uint256 end) private pure returns (bool) {
        uint256 depth = 0;
        while (offset < end) {
            uint256 op = Calldata.u8(offset);
            if (op > 63) return true;
            (uint256 immediates, uint256 operands) = shapeOf(op);
            if (operands == UNKNOWN || offset + immediates >= end || depth < operands) return true;
            if (op == PICK && Calldata.u8(offset + 1) >= depth) return true;
            if ((op == VAR_K || op == VAR_ACC) && op != scan.variable) return true;
            if (op >= TENSOR && op <= PREV) {
                if (op >= NOW && !scan.isLoop) return true;
                scan.loads[scan.count++] = offset;
                if (scan.count > MAX_LOADS) return true;
            }
            depth = depth + 1 - operands;
            if (depth > MAX_STACK) return true;
            offset += 1 + immediates;
        }
        return false;
    }
}
