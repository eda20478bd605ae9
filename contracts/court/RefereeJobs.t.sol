// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NaiveTree, RefereeKit} from "./RefereeKit.t.sol";

/// @notice The two known answers of the machine, as bytes.
abstract contract RefereeJobs is RefereeKit {
    function _first() internal pure returns (Job memory job) {
        job.header = hex"0100010001000100020064000000";
        job.T = 3;
        job.counts = [uint256(1), 1, 1];
        job.tensors = new bytes[](3);
        job.tensors[0] = hex"01fe0380";
        job.tensors[1] = hex"43ffffffebfcffff7d610000";
        job.tensors[2] = hex"01010101ff02fd047f7f7f80";
        job.records = new bytes[](5);
        job.records[0] = hex"000100000004000000";
        job.records[1] = hex"020100000001000040";
        job.records[2] = hex"000300000004000000";
        job.stages = new Stage[](2);
        job.stages[0] = _stage(hex"01040000000c000100070b000004070b020012090103010113", hex"43ffffffebfcffff7d610000");
        job.stages[1] = _stage(hex"0000000000100004010001000c0000000100040b01001b", hex"010101");
        job.records[3] = bytes.concat(hex"0001000040020100000001000000", NaiveTree.leaf(job.stages[0].codes[0]));
        job.records[4] = bytes.concat(hex"0001000040000100000001000000", NaiveTree.leaf(job.stages[1].codes[0]));
    }

    function _second() internal pure returns (Job memory job) {
        job.header = hex"0100010001000100060032000000";
        job.T = 5;
        job.counts = [uint256(1), 1, 1];
        job.tensors = new bytes[](3);
        job.tensors[0] = hex"fbffffffffffffff0300000000000000";
        job.tensors[1] = hex"fbffffffdd000000a3feffff61000000cffeffff";
        job.tensors[2] = hex"2c0138ff6400ceff7d000700";
        job.stages = new Stage[](6);
        job.stages[0] = _stage(
            hex"000000000016000406010001000b00002102ffff000016020080000011",
            hex"e9fd07375d719899d1306bd1a5c3ae2efcaddda2"
        );
        job.stages[1] = _stage(
            hex"01020000000e00060100070c00000005070b02001209010415",
            hex"171f02009c9afeff171f020035fa06009c9afeff837cfdff171f020035fa0600110606009c9afeff837cfdff6d0a0000171f020035fa0600110606001481fcff9c9afeff837cfdff6d0a000046bffeff171f020035fa0600110606001481fcff841f08009c9afeff837cfdff6d0a000046bffeffd18ffcff"
        );
        job.stages[2] = _stage(
            hex"020000008007000405070c010000",
            hex"00000000000000000100000000000000010000000200000001000000020000000400000002000000"
        );
        job.stages[3] = _loop();
        job.stages[4] = _stage(hex"00000000000c0004010212010001010c030001", hex"fbffffffa3feffffcffeffff");
        job.stages[5] = _stage(hex"000000000010000100040b010004010001010c0300011b", hex"0101010101");

        job.records = new bytes[](9);
        job.records[0] = hex"030100000002000000";
        job.records[1] = hex"020100000001000040";
        job.records[2] = hex"010200000003000000";
        job.records[3] = bytes.concat(hex"0101000040010100000002000000", _codeLeaf(job, 0, 0));
        job.records[4] = bytes.concat(hex"0001000040020200000000000080", _codeLeaf(job, 1, 0));
        job.records[5] = bytes.concat(hex"0001000040020200000001000000", _codeLeaf(job, 2, 0));
        job.records[6] = bytes.concat(
            hex"0201000040000100000002000000", _codeLeaf(job, 3, 0), hex"030100000002000000", _codeLeaf(job, 3, 1)
        );
        job.records[7] = bytes.concat(hex"0002000040020100000001000000", _codeLeaf(job, 4, 0));
        job.records[8] = bytes.concat(hex"0001000040000100000001000000", _codeLeaf(job, 5, 0));
    }

    function _loop() private pure returns (Stage memory stage) {
        stage.folds = 2;
        stage.codes = new bytes[](2);
        stage.codes[0] = hex"000000000023000401001b010001010b00000100060e010406040601000c0200000c010000010915101d";
        stage.codes[1] = hex"000000000013000100060d0001f90102130100010106110e0011";
        stage.tensors = new bytes[](10);
        stage.tensors[0] = hex"0303";
        stage.tensors[1] = hex"fbfffffffffffffffbffffffffffffff";
        stage.tensors[2] = hex"7f80";
        stage.tensors[3] = hex"1fffffffffffffffdd00000000000000";
        stage.tensors[4] = hex"7f7f";
        stage.tensors[5] = hex"a2ffffffffffffffa3feffffffffffff";
        stage.tensors[6] = hex"7f80";
        stage.tensors[7] = hex"a3feffffffffffff6100000000000000";
        stage.tensors[8] = hex"7f66";
        stage.tensors[9] = hex"a2ffffffffffffffcffeffffffffffff";
    }

    function _codeLeaf(Job memory job, uint256 stage, uint256 fold) private pure returns (bytes32) {
        return NaiveTree.leaf(job.stages[stage].codes[fold]);
    }
}
