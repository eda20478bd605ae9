// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Court} from "../court/Court.sol";
import {Referee} from "../court/Referee.sol";
import {Terms} from "../market/IAccounts.sol";
import {Parent, Registration} from "../market/IModelRegistry.sol";
import {Row, Status} from "../market/IPaymentChannels.sol";
import {ModelRegistry} from "../market/ModelRegistry.sol";
import {PaymentChannels} from "../market/PaymentChannels.sol";
import {ProviderRegistry} from "../market/ProviderRegistry.sol";
import {Answer, Channel, TypedData} from "../market/TypedData.sol";
import {Test} from "./Test.t.sol";
import {TestUSD} from "./TestUSD.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title MarketTest
/// @notice A whole market, its people, and builders with defaults for what they send.
abstract contract MarketTest is Test {
    uint96 internal constant TUSD = 1_000_000;
    uint256 internal constant WINDOW = 3 days;
    uint256 internal constant PAYEE_CLOCK = 26 hours;
    uint256 internal constant CHALLENGER_CLOCK = 22 hours;
    uint256 internal constant CLOCKS = PAYEE_CLOCK + CHALLENGER_CLOCK;
    uint256 internal constant SLOT_STEP = 1 hours;
    uint256 internal constant FLOOR = 2 hours;
    uint96 internal constant PENALTY = 10 * TUSD;
    uint96 internal constant BOND = 2 * TUSD;
    uint256 internal constant HOLD = WINDOW + CLOCKS;
    uint256 internal constant NOTICE = 1 days;
    uint16 internal constant ROYALTY_BPS = 500;
    uint40 internal constant FOREVER = type(uint40).max;
    bytes32 internal constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant SIGNER_KEY = 0x51611E4;
    uint256 internal constant PAYEE_KEY = 0xB0B;
    uint256 internal constant OPERATOR_KEY = 0x09E4A;

    TestUSD internal token;
    ModelRegistry internal models;
    Referee internal referee;
    PaymentChannels internal channels;
    Court internal court;
    ProviderRegistry internal providers;
    address internal payer;
    address internal signer;
    address internal payee;
    address internal operator;
    address internal author = address(0xA47404);
    address internal stranger = address(0x57A46E);
    uint256 internal model;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        vm.roll(100);
        (payer, signer) = (vm.addr(PAYER_KEY), vm.addr(SIGNER_KEY));
        (payee, operator) = (vm.addr(PAYEE_KEY), vm.addr(OPERATOR_KEY));
        token = new TestUSD();
        models = new ModelRegistry("ipfs://collection");
        referee = new Referee();
        channels = new PaymentChannels(token, models, referee, _terms());
        court = Court(address(channels.court()));
        providers = new ProviderRegistry(channels);
        model = _register(author, _aRegistration(1));
        _fund(payer, 1_000 * TUSD);
        _fund(payee, 1_000 * TUSD);
        vm.prank(payee);
        channels.setOperator(operator, true);
    }

    function _terms() internal pure returns (Terms memory) {
        return Terms({
            windowSeconds: WINDOW,
            noticeSeconds: NOTICE,
            penalty: PENALTY,
            bond: BOND,
            payeeClockSeconds: PAYEE_CLOCK,
            challengerClockSeconds: CHALLENGER_CLOCK,
            slotStepSeconds: SLOT_STEP,
            floorSeconds: FLOOR
        });
    }

    /* MODELS */

    function _aRegistration(uint256 seed) internal pure returns (Registration memory r) {
        r.header = hex"0100010001000100020064000000";
        r.programRoot = keccak256(abi.encode("program", seed));
        r.weightsRoot = keccak256(abi.encode("weights", seed));
        r.packageHash = keccak256(abi.encode("package", seed));
        r.salt = keccak256(abi.encode("salt", seed));
        r.metadataUri = "ipfs://metadata";
        r.packageUris = new string[](1);
        r.packageUris[0] = "https://models.example/package";
        r.packageSizeBytes = 92_000_000;
        r.licence = "Apache-2.0";
        r.royaltyBps = ROYALTY_BPS;
        r.parents = new Parent[](0);
    }

    function _assetIdOf(Registration memory r) internal pure returns (uint256) {
        bytes32 modelId = sha256(abi.encodePacked(hex"02", r.header, r.programRoot, r.weightsRoot));
        return uint256(sha256(abi.encodePacked(hex"05", modelId, r.packageHash)));
    }

    function _commit(address registrant, Registration memory r) internal {
        models.commit(keccak256(abi.encode(_assetIdOf(r), registrant, r.salt)));
        vm.roll(block.number + 1);
    }

    function _register(address registrant, Registration memory r) internal returns (uint256) {
        _commit(registrant, r);
        vm.prank(registrant);
        return models.register(r);
    }

    /* MONEY */

    function _fund(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(channels), type(uint256).max);
    }

    function _aChannel() internal view returns (Channel memory) {
        return Channel({payer: payer, signer: signer, payee: payee, model: model, salt: bytes32(0)});
    }

    function _aPlainChannel() internal view returns (Channel memory c) {
        c = _aChannel();
        c.model = 0;
    }

    function _deposit(Channel memory c, uint96 amount) internal returns (bytes32) {
        vm.prank(payer);
        return channels.deposit(c, amount);
    }

    /* SIGNATURES */

    function _idOf(Channel memory c) internal view returns (bytes32) {
        return _digest(TypedData.channelHash(c.payer, c.signer, c.payee, c.model, c.salt));
    }

    /// @dev The payer's ERC-3009 authorization for a deposit, valid at any time.
    function _authorization(Channel memory c, uint256 amount, bytes32 salt) internal view returns (bytes memory) {
        bytes32 nonce = keccak256(abi.encode(_idOf(c), salt));
        bytes32 terms =
            keccak256(abi.encode(RECEIVE_TYPEHASH, c.payer, address(channels), amount, 0, type(uint256).max, nonce));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(PAYER_KEY, MessageHashUtils.toTypedDataHash(token.DOMAIN_SEPARATOR(), terms));
        return abi.encodePacked(r, s, v);
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(channels.DOMAIN_SEPARATOR(), structHash);
    }

    function _aRow(Channel memory c, uint128 ceiling, uint128 amount) internal view returns (Row memory) {
        return _aRowSignedBy(SIGNER_KEY, c, ceiling, amount);
    }

    function _aRowSignedBy(
        uint256 key,
        Channel memory c,
        uint128 ceiling,
        uint128 amount
    ) internal view returns (Row memory row) {
        bytes32 id = _idOf(c);
        (bytes32 r, bytes32 vs) = vm.signCompact(key, _digest(TypedData.voucherHash(id, ceiling)));
        row = Row({
            payer: c.payer, signer: c.signer, salt: c.salt, maxClaimableAmount: ceiling, amount: amount, r: r, vs: vs
        });
    }

    function _redeem(Channel memory c, uint128 ceiling, uint128 amount) internal returns (Status status, uint256 paid) {
        return _redeemRow(c, _aRow(c, ceiling, amount));
    }

    function _redeemRow(Channel memory c, Row memory row) internal returns (Status status, uint256 paid) {
        Row[] memory rows = new Row[](1);
        rows[0] = row;
        Status[] memory statuses;
        vm.prank(c.payee);
        (statuses, paid) = channels.redeem(c.payee, c.model, rows);
        status = statuses[0];
    }

    function _anAnswer(Channel memory c, uint128 ceiling, uint128 charged) internal view returns (Answer memory) {
        return Answer({
            payee: c.payee,
            statementId: keccak256("statement"),
            channelId: _idOf(c),
            maxClaimableAmount: ceiling,
            charged: charged,
            until: uint64(block.timestamp + WINDOW)
        });
    }

    function _signAnswer(uint256 key, Answer memory a) internal view returns (bytes32 r, bytes32 vs) {
        return vm.signCompact(key, _digest(_answerHash(a)));
    }

    function _answerHash(Answer memory a) internal pure returns (bytes32) {
        return TypedData.answerHash(a.payee, a.statementId, a.channelId, a.maxClaimableAmount, a.charged, a.until);
    }
}
