// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The fold machine that this code is a referee of.
uint16 constant MACHINE_VERSION = 1;

/// @notice A program's header: counts of its records, and the longest job.
struct Header {
    uint256 version;
    uint256 requests;
    uint256 claimed;
    uint256 constants;
    uint256 stages;
    uint256 maxT;
}

using HeaderLib for Header global;

/// @dev Bytes: u16 version, requests, claimed, constants, stages, u32 maxT; little-endian.
library HeaderLib {
    uint256 internal constant MAX_T = 2 ** 24;

    /// @dev Total.
    function decode(bytes14 header) internal pure returns (Header memory) {
        return Header({
            version: _u16(header, 0),
            requests: _u16(header, 2),
            claimed: _u16(header, 4),
            constants: _u16(header, 6),
            stages: _u16(header, 8),
            maxT: _u16(header, 10) | (_u16(header, 12) << 16)
        });
    }

    /// @notice Whether no program has this header, so that every statement under it is false.
    /// @dev Without a stage every statement would be true, because nothing would be compared.
    function isMalformed(Header memory self) internal pure returns (bool) {
        return self.version != MACHINE_VERSION || self.stages == 0 || self.maxT == 0 || self.maxT > MAX_T;
    }

    /// @notice Request, claimed and constant tensors share one numbering, which records and loads use.
    function tensors(Header memory self) internal pure returns (uint256) {
        return self.requests + self.claimed + self.constants;
    }

    function _u16(bytes14 header, uint256 offset) private pure returns (uint256) {
        return uint8(header[offset]) | (uint256(uint8(header[offset + 1])) << 8);
    }
}
