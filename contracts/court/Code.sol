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

    /// @notice The operation at a calldata offset, how many bytes follow it, and how many entries it takes from the stack.
    /// @dev Of a byte that is no operation `operands` is `UNKNOWN`.
    function operationAt(uint256 offset) internal pure returns (uint256 op, uint256 immediates, uint256 operands) {
        assembly ("memory-safe") {
            op := byte(0, calldataload(offset))
            immediates := and(shr(shl(2, op), IMMEDIATES), 15)
            // beyond the table the shift leaves nothing
            operands := or(and(shr(shl(2, op), OPERANDS), 15), mul(gt(op, 63), UNKNOWN))
        }
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
        // offsets and depths are bounded by the calldata and by the checks; every byte of code is paid for here
        unchecked {
            while (offset < end) {
                (uint256 op, uint256 immediates, uint256 operands) = operationAt(offset);
                bool isBad;
                assembly ("memory-safe") {
                    isBad := or(iszero(lt(add(offset, immediates), end)), lt(depth, operands))
                    isBad := or(isBad, eq(operands, UNKNOWN))
                    depth := sub(add(depth, 1), operands)
                    isBad := or(isBad, gt(depth, MAX_STACK))
                }
                if (isBad) return true;
                if (op >= VAR_K && op <= PREV && _isMisplaced(scan, offset, op, depth)) return true;
                offset += 1 + immediates;
            }
        }
        return false;
    }

    /// @dev k, acc, pick and loads, which are not legal everywhere. Notes loads down. `depth` counts the result.
    function _isMisplaced(Scan memory scan, uint256 offset, uint256 op, uint256 depth) private pure returns (bool) {
        if (op == PICK) return Calldata.u8(offset + 1) + 1 >= depth;
        if (op < TENSOR) return op != scan.variable && op != VAR_LENGTH;
        if (op >= NOW && !scan.isLoop) return true;
        scan.loads[scan.count++] = offset;
        return scan.count > MAX_LOADS;
    }
}
