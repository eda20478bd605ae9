// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "./Test.t.sol";
import {TestUSD} from "./TestUSD.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

contract TestUSDTest is Test {
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    uint256 private constant KEY = 0xA11CE;
    uint256 private constant NOW = 1_700_000_000;

    TestUSD private _token;
    address private _owner;
    address private _shop = address(0x5402);

    function setUp() public {
        vm.warp(NOW);
        _token = new TestUSD();
        _owner = vm.addr(KEY);
        _token.mint(_owner, 100);
    }

    function test_version_isThatOfTheDomain() public view {
        (,, string memory version,,,,) = _token.eip712Domain();
        vm.assertEq(_token.version(), version, "version");
        vm.assertEq(_token.decimals(), 6, "decimals");
    }

    function test_transferWithAuthorization_isBroughtByAnybodyOnce() public {
        bytes memory signature = _sign(TRANSFER_TYPEHASH, NOW - 1, NOW + 1);
        _token.transferWithAuthorization(_owner, _shop, 40, NOW - 1, NOW + 1, "nonce", signature);
        vm.assertEq(_token.balanceOf(_shop), 40, "paid");
        vm.assertTrue(_token.authorizationState(_owner, "nonce"), "the nonce is used");
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, _owner, bytes32("nonce")));
        _token.transferWithAuthorization(_owner, _shop, 40, NOW - 1, NOW + 1, "nonce", signature);
    }

    function test_transferWithAuthorization_isValidBetweenItsTimes() public {
        bytes memory signature = _sign(TRANSFER_TYPEHASH, NOW, NOW + 10);
        bytes memory refused = abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, NOW, NOW + 10);
        vm.expectRevert(refused);
        _token.transferWithAuthorization(_owner, _shop, 40, NOW, NOW + 10, "nonce", signature);
        vm.warp(NOW + 10);
        vm.expectRevert(refused);
        _token.transferWithAuthorization(_owner, _shop, 40, NOW, NOW + 10, "nonce", signature);
        vm.warp(NOW + 9);
        _token.transferWithAuthorization(_owner, _shop, 40, NOW, NOW + 10, "nonce", signature);
    }

    function test_transferWithAuthorization_refusesOtherTerms() public {
        bytes memory signature = _sign(TRANSFER_TYPEHASH, 0, NOW + 1);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        _token.transferWithAuthorization(_owner, _shop, 41, 0, NOW + 1, "nonce", signature);
        signature = _sign(RECEIVE_TYPEHASH, 0, NOW + 1);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        _token.transferWithAuthorization(_owner, _shop, 40, 0, NOW + 1, "nonce", signature);
    }

    function test_receiveWithAuthorization_isForTheReceiverAlone() public {
        bytes memory signature = _sign(RECEIVE_TYPEHASH, 0, NOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, _shop));
        _token.receiveWithAuthorization(_owner, _shop, 40, 0, NOW + 1, "nonce", signature);
        vm.prank(_shop);
        _token.receiveWithAuthorization(_owner, _shop, 40, 0, NOW + 1, "nonce", signature);
        vm.assertEq(_token.balanceOf(_shop), 40, "paid");
    }

    function test_permit_allowsBySignature() public {
        bytes32 terms = keccak256(abi.encode(PERMIT_TYPEHASH, _owner, _shop, 40, 0, NOW));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(terms));
        _token.permit(_owner, _shop, 40, NOW, v, r, s);
        vm.assertEq(_token.allowance(_owner, _shop), 40, "allowance");
        vm.assertEq(_token.nonces(_owner), 1, "nonce");
    }

    function _sign(bytes32 typeHash, uint256 validAfter, uint256 validBefore) private view returns (bytes memory) {
        bytes32 terms = keccak256(abi.encode(typeHash, _owner, _shop, 40, validAfter, validBefore, bytes32("nonce")));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(terms));
        return abi.encodePacked(r, s, v);
    }

    function _digest(bytes32 terms) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_token.DOMAIN_SEPARATOR(), terms);
    }
}
