// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Target} from "./IReferee.sol";
import {RefereeJobs} from "./RefereeJobs.t.sol";

/// @notice The two known answers of the machine: every element of their traces holds, and none holds when it is changed.
contract RefereeKnownTest is RefereeJobs {
    /// @dev Steps, rows, cols (0 for t + 1), bytes of an element, and the order, for walking over a fold's elements.
    struct Shape {
        uint32 steps;
        uint32 rows;
        uint32 cols;
        uint8 width;
        uint8 order;
    }

    function test_known_firstProgram() public view {
        Job memory job = _first();
        vm.assertEq(
            _statement(job).programRoot,
            hex"167ae459af962596fdb835b9349fc020817dce615a0a358934c09417605dc988",
            "program"
        );
        vm.assertEq(
            _statement(job).weightsRoot,
            hex"b0c0b33b8d8300953a3d59946c8bd37192a4dd80a2ea7c42504515642268bad1",
            "weights"
        );
        vm.assertEq(
            _statement(job).requestRoot,
            hex"6d4c90b34015f7bf45e096b031cecc1bc7812531de8a7fc5504c729b5c72c219",
            "request"
        );
        vm.assertEq(
            _statement(job).claimedRoot,
            hex"68b7534d1d72b0bca2c6936e02d43940b20753ca866741ad2d330d24b6b51371",
            "claimed"
        );
        vm.assertEq(_traceRoot(job), hex"0ffc36b85e63766b4ac518544430c49d161d42cc0588cb4483053838362d5a71", "trace");
        _walk(job, 0, 0, Shape(3, 1, 1, 4, 0));
        _walk(job, 1, 0, Shape(3, 1, 1, 1, 0));
    }

    function test_known_secondProgram() public view {
        Job memory job = _second();
        vm.assertEq(
            _statement(job).programRoot,
            hex"d34c21df57c64f97ea54555cc3696c89f57af9b68172e18de0da8c1df5363967",
            "program"
        );
        vm.assertEq(
            _statement(job).claimedRoot,
            hex"71cfdd4f1bfd13a8bcbd707445171b3d4c3475a09cca438b7e446571dbd45d01",
            "claimed"
        );
        vm.assertEq(_traceRoot(job), hex"4914ab357347f7e0839d4a11099609ee7ec251543ce4026d731891f502e11e91", "trace");
        _walk(job, 0, 0, Shape(5, 1, 2, 2, 1));
        _walk(job, 1, 0, Shape(5, 2, 0, 4, 0));
        _walk(job, 2, 0, Shape(5, 2, 1, 4, 0));
        _walk(job, 3, 0, Shape(5, 1, 2, 1, 2));
        _walk(job, 3, 1, Shape(5, 1, 2, 8, 2));
        _walk(job, 4, 0, Shape(3, 1, 1, 4, 0));
        _walk(job, 5, 0, Shape(5, 1, 1, 1, 0));
    }

    /// @dev Each element as it is, then with its lowest bit turned.
    function _walk(Job memory job, uint16 stage, uint8 fold, Shape memory shape) private view {
        uint256 element = 0;
        for (uint32 t = 0; t < shape.steps; ++t) {
            uint32 cols = shape.cols == 0 ? t + 1 : shape.cols;
            for (uint32 r = 0; r < shape.rows; ++r) {
                for (uint32 c = 0; c < cols; ++c) {
                    uint256 number = shape.order == 0
                        ? element
                        : shape.order == 1 ? (r * shape.cols + c) * shape.steps + t : r * shape.cols + c;
                    uint256 tensor = shape.order == 2 ? t * job.stages[stage].folds + fold : 0;
                    bytes memory data = job.stages[stage].tensors[tensor];
                    // of an argmax the honest index is what beats a false one
                    uint32 j = stage == 2 && job.stages.length > 2 ? uint8(data[number * shape.width]) : 0;
                    Target memory target = Target(stage, fold, t, r, c, j);
                    _assertHolds(_verdict(job, target), string.concat("holds: ", _name(target)));

                    data[number * shape.width] ^= 0x01;
                    _assertRefuted(_verdict(job, target), string.concat("changed: ", _name(target)));
                    data[number * shape.width] ^= 0x01;
                    ++element;
                }
            }
        }
    }

    function _name(Target memory target) private pure returns (string memory) {
        bytes memory digits = "0123456789";
        return
            string(bytes.concat("stage ", digits[target.stage], " fold ", digits[target.fold], " t ", digits[target.t]));
    }
}
